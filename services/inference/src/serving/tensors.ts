import { refused } from './infer.js';

/**
 * Values of a raw tensor, little-endian as all machines are that this runs on. A view where the bytes lie on a multiple
 * of 4, which messages don't promise; a copy otherwise.
 * @throws RpcError INVALID_ARGUMENT naming the input
 */
export function rawFloats(input: string, bytes: Uint8Array): Float32Array {
  if (bytes.byteLength % 4 !== 0) throw refused(`inputs.${input}`, 'WRONG_SIZE', `${bytes.byteLength} bytes are no whole values of FP32`);
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  // Not slice(): a Buffer's gives a view.
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** @throws RpcError INVALID_ARGUMENT naming the input */
export function requireFp32(input: string, datatype: string): void {
  if (datatype !== 'FP32') throw refused(`inputs.${input}`, 'WRONG_DATATYPE', `the datatype is ${datatype || 'not given'}, and models take FP32`);
}

export function rawOfFloats(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** BYTES, each with its length before it, 4 bytes little-endian. */
export function rawOfStrings(values: readonly string[]): Uint8Array {
  const parts = values.flatMap((value) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}
