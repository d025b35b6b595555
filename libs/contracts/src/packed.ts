/**
 * Packed values travel as little-endian bytes (see Encoding in telemetry.proto), so that decoding is a view and not a loop.
 * Every platform that Node runs on is little-endian, so typed arrays are the wire format.
 */

/** Float64 values as bytes: a view of the same memory, no copy. */
export function packFloat64(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Float32 values as bytes: a view of the same memory, no copy. */
export function packFloat32(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * Bytes as float64 values: a view where the bytes happen to be aligned, one copy where not.
 * @param scratch where the copy goes if there is room, valid as long as the caller leaves it alone; a new array otherwise
 * @throws RangeError when the length is no multiple of 8.
 */
export function unpackFloat64(bytes: Uint8Array, scratch?: ArrayBuffer): Float64Array {
  if (bytes.byteLength % 8 !== 0) throw new RangeError(`packed float64: ${bytes.byteLength} bytes is no multiple of 8`);
  if (bytes.byteOffset % 8 === 0) return new Float64Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 8);
  return new Float64Array(copied(bytes, scratch), 0, bytes.byteLength / 8);
}

/**
 * Bytes as float32 values: a view where the bytes happen to be aligned, one copy where not.
 * @param scratch where the copy goes if there is room, valid as long as the caller leaves it alone; a new array otherwise
 * @throws RangeError when the length is no multiple of 4.
 */
export function unpackFloat32(bytes: Uint8Array, scratch?: ArrayBuffer): Float32Array {
  if (bytes.byteLength % 4 !== 0) throw new RangeError(`packed float32: ${bytes.byteLength} bytes is no multiple of 4`);
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 4);
  return new Float32Array(copied(bytes, scratch), 0, bytes.byteLength / 4);
}

function copied(bytes: Uint8Array, scratch: ArrayBuffer | undefined): ArrayBuffer {
  const copy = scratch !== undefined && scratch.byteLength >= bytes.byteLength ? scratch : new ArrayBuffer(bytes.byteLength);
  new Uint8Array(copy).set(bytes);
  return copy;
}
