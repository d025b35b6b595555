import type { RecordBatch } from './record-batch.js';
import { sizeOfCompactString, sizeOfString, sizeOfUnsigned, Writer } from './writer.js';

/** Who writes, as the broker knows it. */
export interface Identity {
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** Records of a topic, by partition. */
export interface TopicData {
  readonly topic: string;
  readonly partitions: readonly NumberedBatch[];
}

/** Records for a partition. */
export interface NumberedBatch {
  readonly partition: number;
  /** Number of the first, by which the broker tells repetitions. */
  readonly firstSequence: number;
  readonly batch: RecordBatch;
}

/** Records for the partitions that one broker leads. */
export interface LeaderData {
  readonly nodeId: string;
  readonly topicData: readonly TopicData[];
}

/** Where records have been written to. */
export interface Produced {
  readonly topics: readonly { readonly topicName: string; readonly partitions: readonly { readonly partition: number; readonly baseOffset: string }[] }[];
}

/** Records for one broker, to be acknowledged when all replicas in sync have them. */
export interface ProduceRequest {
  /** Undefined for records of no transaction. */
  readonly transactionalId: string | undefined;
  readonly identity: Identity;
  readonly topicData: readonly TopicData[];
}

const ALL_IN_SYNC = -1;
/** How long the broker waits for its replicas. */
const TIMEOUT_MS = 30_000;
/** Number of tagged fields. */
const NO_TAGS = 0;

/**
 * Body of a produce request, version 3 to 8 (KIP-98): transactional id, acks, timeout, and a record batch for each partition.
 * @param headRoom bytes to leave in front
 */
export function encodeProduce({ transactionalId, identity, topicData }: ProduceRequest, headRoom = 0): Buffer {
  let size = sizeOfString(transactionalId) + 2 + 4 + 4;
  for (const { topic, partitions } of topicData) {
    size += sizeOfString(topic) + 4;
    for (const { batch } of partitions) size += 4 + 4 + batch.size;
  }
  const out = new Writer(headRoom + size);
  out.position = headRoom;
  out.string(transactionalId);
  out.int16(ALL_IN_SYNC);
  out.int32(TIMEOUT_MS);
  out.int32(topicData.length);
  const owner = { id: BigInt(identity.producerId), epoch: identity.producerEpoch, transactional: transactionalId !== undefined };
  for (const { topic, partitions } of topicData) {
    out.string(topic);
    out.int32(partitions.length);
    for (const { partition, firstSequence, batch } of partitions) {
      out.int32(partition);
      out.int32(batch.size);
      batch.write(out, owner, firstSequence);
    }
  }
  return out.bytes;
}

/**
 * Body of a produce request of version 9 to 12 (KIP-482): the same with lengths as varints, each one more than it is, and a place for tagged
 * fields, here without any, at the end of each structure and in front of them all, where it belongs to the request's header.
 * @param headRoom bytes to leave in front
 */
export function encodeFlexibleProduce({ transactionalId, identity, topicData }: ProduceRequest, headRoom = 0): Buffer {
  let size = 1 + sizeOfCompactString(transactionalId) + 2 + 4 + sizeOfUnsigned(topicData.length + 1) + 1;
  for (const { topic, partitions } of topicData) {
    size += sizeOfCompactString(topic) + sizeOfUnsigned(partitions.length + 1) + 1;
    for (const { batch } of partitions) size += 4 + sizeOfUnsigned(batch.size + 1) + batch.size + 1;
  }
  const out = new Writer(headRoom + size);
  out.position = headRoom;
  out.unsigned(NO_TAGS);
  out.compactString(transactionalId);
  out.int16(ALL_IN_SYNC);
  out.int32(TIMEOUT_MS);
  out.unsigned(topicData.length + 1);
  const owner = { id: BigInt(identity.producerId), epoch: identity.producerEpoch, transactional: transactionalId !== undefined };
  for (const { topic, partitions } of topicData) {
    out.compactString(topic);
    out.unsigned(partitions.length + 1);
    for (const { partition, firstSequence, batch } of partitions) {
      out.int32(partition);
      out.unsigned(batch.size + 1);
      batch.write(out, owner, firstSequence);
      out.unsigned(NO_TAGS);
    }
    out.unsigned(NO_TAGS);
  }
  out.unsigned(NO_TAGS);
  return out.bytes;
}
