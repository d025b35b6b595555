import { randomOf } from '../random.js';

/** Whole numbers from 0 to below a bound that follow from a seed. */
export function wholeNumbers(seed: number): (below: number) => number {
  const random = randomOf(seed);
  return (below) => Math.floor(random() * below);
}

/** Bytes that mean much in many formats: ends of ranges, long varints, quotes, brackets, line ends. */
const TELLING = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x22, 0x27, 0x2c, 0x2d, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d, 0x2a, 0x26, 0x09, 0x20, 0x30, 0x39, 0x65];
const MOST_BYTES = 4 * 1024 * 1024;

/** Some valid inputs with some things changed: bits, bytes, numbers, and pieces taken out, repeated, swapped in from another. */
export function mutated(seeds: readonly Uint8Array[], random: (below: number) => number): Uint8Array {
  let bytes = Uint8Array.from(seeds[random(seeds.length)]!);
  for (let changes = 1 + random(random(4) === 0 ? 30 : 4); changes > 0; changes--) bytes = changed(bytes, seeds, random);
  return bytes;
}

function changed(bytes: Uint8Array, seeds: readonly Uint8Array[], random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const at = random(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + random(random(2) === 0 ? 8 : bytes.length + 1));
  const copy = Uint8Array.from(bytes);
  switch (random(8)) {
    case 0:
      if (at < copy.length) copy[at]! ^= 1 << random(8);
      return copy;
    case 1:
      if (at < copy.length) copy[at] = TELLING[random(TELLING.length)]!;
      return copy;
    case 2:
      for (let i = at; i < Math.min(copy.length, at + 8); i++) copy[i] = random(2) === 0 ? 0xff : random(256);
      return copy;
    case 3:
      return copy.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(to));
    case 5: {
      const piece = bytes.subarray(at, to);
      const times = Math.min(1 + random(50), Math.floor(MOST_BYTES / (bytes.length + piece.length + 1)));
      return joined(bytes.subarray(0, at), ...Array.from({ length: times }, () => piece), bytes.subarray(at));
    }
    case 6: {
      const other = seeds[random(seeds.length)]!;
      const from = random(other.length + 1);
      return joined(bytes.subarray(0, at), other.subarray(from, from + random(200)), bytes.subarray(at));
    }
    default:
      return joined(bytes.subarray(0, at), Uint8Array.from({ length: 1 + random(6) }, () => TELLING[random(TELLING.length)]!), bytes.subarray(at));
  }
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
