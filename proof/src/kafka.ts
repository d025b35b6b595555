import { createLogger } from '@millwright/observability';
import { startKafka, type KafkaServer } from '@millwright/servers';
import { MemoryStateStore, openKafkaLog, type EventLog, type StateStore } from '@millwright/streams';

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
