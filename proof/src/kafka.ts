import { createLogger } from '@millwright/observability';
import { freePorts, startKafka, type KafkaServer } from '@millwright/servers';
import { MemoryStateStore, openKafkaLog, type EventLog, type StateStore } from '@millwright/streams';
import { Proxy } from './proxy.js';

/** A log on a Kafka of its own, for lines in this process. */
export interface OwnKafka {
  readonly server: KafkaServer;
  readonly log: EventLog;
  readonly store: StateStore;
  close(): Promise<void>;
}

export async function openOwnKafka(): Promise<OwnKafka> {
  const server = await startKafka();
  const log = openKafkaLog({ brokers: [...server.brokers], clientId: 'proof', logger: createLogger({ service: 'proof', level: 'silent' }) });
  return {
    server,
    log,
    store: new MemoryStateStore(),
    async close() {
      await log.close();
      await server.stop();
    },
  };
}

/** A Kafka that sends its clients through a proxy, but for those that know its own port. */
export interface KafkaBehind {
  readonly server: KafkaServer;
  readonly proxy: Proxy;
  close(): Promise<void>;
}

/** A Kafka tells its clients where to find it: those that ask through the proxy are told the proxy's port. */
export async function startKafkaBehind(): Promise<KafkaBehind> {
  const [port, controller, behind] = (await freePorts(3)) as [number, number, number];
  const proxy = await Proxy.open(behind);
  const at = (name: string, each: number): string => `${name}://127.0.0.1:${each}`;
  const server = await startKafka({
    port,
    settings: {
      listeners: [at('PLAINTEXT', port), at('PROXIED', behind), at('CONTROLLER', controller)].join(),
      'advertised.listeners': [at('PLAINTEXT', port), at('PROXIED', proxy.port)].join(),
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    },
  });
  return {
    server,
    proxy,
    async close() {
      await proxy.close();
      await server.stop();
    },
  };
}
