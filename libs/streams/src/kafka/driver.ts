import { createRequire } from 'node:module';
import kafkajs, { type Cluster, type ISocketFactory, type Kafka, type LogEntry, type SASLOptions } from 'kafkajs';
import type { RuntimeLogger } from '../runtime.js';
import { readTls, type TlsFiles } from '../tls.js';
import { readCommittedOnly } from './aborted-records.js';
import { rememberCoordinators } from './coordinator-cache.js';
import { prependWhereThereIsRoom } from './exchange.js';
import { decodeInOnePass } from './fetch-response.js';
import { stopIdleTimer } from './idle-timer.js';
import { PATIENT } from './patience.js';

/** How to reach a Kafka. */
export interface KafkaOptions {
  /** host:port of some brokers. */
  readonly brokers: readonly string[];
  /** Given for brokers that are reached over TLS. */
  readonly tls?: TlsFiles;
  /** Given for brokers that ask for a user. */
  readonly sasl?: Sasl;
  /** Name that the broker's logs and quotas know this process by. */
  readonly clientId: string;
  readonly logger: RuntimeLogger;
}

/** Who this process is to a broker. */
export interface Sasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/**
 * kafkajs as Millwright uses it.
 * @param disconnected called when a connection has ended, also when kafkajs is about to replace it and tells nobody.
 */
export function openDriver(options: KafkaOptions, disconnected?: () => void): Kafka {
  stopIdleTimer();
  prependWhereThereIsRoom();
  decodeInOnePass();
  rememberCoordinators();
  readCommittedOnly();
  return new kafkajs.Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: 3_000,
    retry: PATIENT,
    logLevel: kafkajs.logLevel.ERROR,
    logCreator: () => toLogger(options.logger),
    // The mechanism is one of a union of types, each with the same fields.
    ...(options.sasl && { sasl: options.sasl as SASLOptions }),
    socketFactory: (target) => {
      const socket = connectSocket(options.tls ? { ...target, ssl: readTls(options.tls) } : target);
      return disconnected ? socket.once('close', disconnected) : socket;
    },
  });
}

const connectSocket = (createRequire(import.meta.url)('kafkajs/src/network/socketFactory') as () => ISocketFactory)();

const REPEAT_MS = 10_000;
/** Answers of the broker that belong to every day: the last transaction is still being ended, a member comes or leaves. */
const USUAL = /another concurrent operation on the same transaction|group is rebalancing|needs? to rejoin/;

/**
 * What kafkajs calls errors it mostly mends itself, by trying again: warnings here, each once in ten seconds.
 * What it gives up on reaches the callers, who know what that means.
 */
function toLogger(logger: RuntimeLogger): (entry: LogEntry) => void {
  const last = new Map<string, number>();
  return ({ namespace, log }) => {
    const { message, error, groupId, broker } = log as LogEntry['log'] & { error?: unknown; groupId?: string; broker?: string };
    const said = typeof error === 'string' ? `${message}: ${error}` : message;
    const now = Date.now();
    if (USUAL.test(said) || now - (last.get(said) ?? -Infinity) < REPEAT_MS) return;
    if (last.size > 100) last.clear();
    last.set(said, now);
    logger.warn({ kafkajs: namespace, groupId, broker }, said);
  };
}

/**
 * The low-level client of a Kafka. kafkajs hands it to partition assigners, which is the one public way to it; that of a consumer
 * that reads uncommitted records tells the end of the log, where others tell the end of what is committed.
 */
export function openCluster(kafka: Kafka): Cluster {
  let found: Cluster | undefined;
  kafka.consumer({
    groupId: 'never-run',
    readUncommitted: true,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        found = config.cluster;
        return kafkajs.PartitionAssigners.roundRobin(config);
      },
    ],
  });
  return found!;
}
