import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { openCluster } from '../kafka/driver.js';
import type { Exchange } from '../kafka/exchange.js';
import { TransactionBrokers } from '../kafka/transaction-brokers.js';
import { finalizedFeatures } from '../kafka/transaction-requests.js';

const FEATURE = 'transaction.version';
/** Lower than it was, if nothing is lost by that. */
const SAFE_DOWNGRADE = 2;
const NO_TAGS = 0;

/** Has a cluster of one broker agree on a version of transactions that is no newer than the one it has, and waits until it has. */
export async function agreeOnTransactions(kafka: Kafka, version: number): Promise<void> {
  const cluster = openCluster(kafka);
  try {
    await cluster.connect();
    const { connectionPool } = await new TransactionBrokers(cluster, FEATURE, FEATURE).ofGroup();
    const agreed = async (): Promise<number> => (await connectionPool.send(finalizedFeatures())).get(FEATURE) ?? 0;
    if ((await agreed()) !== version) await connectionPool.send(updateFeature(version));
    while ((await agreed()) !== version) await pause(20);
  } finally {
    await cluster.disconnect();
  }
}

interface Encoder {
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeUVarIntArray(items: readonly Encoder[]): Encoder;
}

/** UpdateFeatures, version 1. */
function updateFeature(version: number): Exchange<Buffer> {
  const Encoder = createRequire(import.meta.url)('kafkajs/src/protocol/encoder') as new () => Encoder;
  const update = new Encoder().writeUVarIntString(FEATURE).writeInt16(version).writeInt8(SAFE_DOWNGRADE).writeUVarInt(NO_TAGS);
  const body = new Encoder().writeUVarInt(NO_TAGS).writeInt32(30_000).writeUVarIntArray([update]).writeBoolean(false).writeUVarInt(NO_TAGS);
  return {
    request: { apiKey: 57, apiVersion: 1, apiName: 'UpdateFeatures', encode: () => Promise.resolve(body) },
    response: { decode: (bytes) => Promise.resolve(bytes), parse: (bytes) => Promise.resolve(bytes) },
  };
}
