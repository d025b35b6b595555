/**
 * Partition of a key, as Kafka's own clients choose it: murmur2 of the UTF-8 bytes, made positive, modulo the number of
 * partitions. A Java or kafkajs producer that writes to the same topic puts an asset where Millwright looks for it.
 */
export function partitionFor(key: string, partitions: number): number {
  return (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions;
}

const encoder = new TextEncoder();
const M = 0x5bd1e995;

/** 32-bit murmur2 with Kafka's seed, after org.apache.kafka.common.utils.Utils.murmur2; a signed integer, as in Java. */
export function murmur2(bytes: Uint8Array): number {
  const words = bytes.length >> 2;
  let h = 0x9747b28c ^ bytes.length;
  for (let i = 0; i < words * 4; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const tail = words * 4;
  const rest = bytes.length - tail;
  if (rest === 3) h ^= bytes[tail + 2]! << 16;
  if (rest >= 2) h ^= bytes[tail + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[tail]!, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}
