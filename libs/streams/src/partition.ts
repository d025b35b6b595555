/**
 * Partition of a key, as Kafka's own clients choose it: murmur2 of the UTF-8 bytes, made positive, modulo the number of
 * partitions. A Java or kafkajs producer that writes to the same topic puts an asset where Millwright looks for it.
 */
export function partitionFor(key: string, partitions: number): number {
  return (murmur2(utf8(key)) & 0x7fffffff) % partitions;
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(1024);

/** Valid until the next call. */
function utf8(text: string): Uint8Array {
  // A UTF-16 unit makes three bytes at most.
  return 3 * text.length <= scratch.length ? scratch.subarray(0, encoder.encodeInto(text, scratch).written) : encoder.encode(text);
}

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
