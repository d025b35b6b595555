/** Bytes that a step of the loop takes: one table each. */
const STEP = 16;
/** Table t holds the checksum of a byte with t zero bytes behind it (slicing; Kounavis and Berry, IEEE Trans. Comput. 57, 2008). */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const previous = tables[at - 256]!;
    tables[at] = tables[previous & 0xff]! ^ (previous >>> 8);
  }
  return tables;
}

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4) of bytes [from, to). */
export function crc32c(b: Uint8Array, from: number, to: number): number {
  const t = TABLES;
  let crc = -1;
  let i = from;
  for (; i + STEP <= to; i += STEP) {
    crc ^= b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);
    crc =
      t[3840 + (crc & 0xff)]! ^ t[3584 + ((crc >>> 8) & 0xff)]! ^ t[3328 + ((crc >>> 16) & 0xff)]! ^ t[3072 + (crc >>> 24)]! ^
      t[2816 + b[i + 4]!]! ^ t[2560 + b[i + 5]!]! ^ t[2304 + b[i + 6]!]! ^ t[2048 + b[i + 7]!]! ^
      t[1792 + b[i + 8]!]! ^ t[1536 + b[i + 9]!]! ^ t[1280 + b[i + 10]!]! ^ t[1024 + b[i + 11]!]! ^
      t[768 + b[i + 12]!]! ^ t[512 + b[i + 13]!]! ^ t[256 + b[i + 14]!]! ^ t[b[i + 15]!]!;
  }
  for (; i < to; i++) crc = t[(crc ^ b[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
