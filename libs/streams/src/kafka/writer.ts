/** The greatest length that is a varint of one byte. */
const SHORT = 63;

/** Bytes, or a text that is written as UTF-8. */
export type Data = Buffer | string | null | undefined;

/** Writes what Kafka's protocol is made of into a buffer of known size. */
export class Writer {
  readonly bytes: Buffer;
  position = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  int8(value: number): void {
    this.bytes[this.position++] = value;
  }

  int16(value: number): void {
    this.position = this.bytes.writeInt16BE(value, this.position);
  }

  int32(value: number): void {
    this.position = this.bytes.writeInt32BE(value, this.position);
  }

  int64(value: bigint): void {
    this.position = this.bytes.writeBigInt64BE(value, this.position);
  }

  string(text: string | null | undefined): void {
    if (text === null || text === undefined) return this.int16(-1);
    this.int16(Buffer.byteLength(text));
    this.position += this.bytes.write(text, this.position);
  }

  /** A text or null in the form of newer versions: the length comes as a varint, one more than it is. */
  compactString(text: string | null | undefined): void {
    if (text === null || text === undefined) return this.unsigned(0);
    this.unsigned(Buffer.byteLength(text) + 1);
    this.position += this.bytes.write(text, this.position);
  }

  varint(value: number): void {
    this.unsigned(value >= 0 ? 2 * value : -2 * value - 1);
  }

  /** A varint that is not zigzag-encoded. */
  unsigned(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.position++] = (rest % 128) | 0x80;
    this.bytes[this.position++] = rest;
  }

  varintData(data: Data): void {
    if (data === null || data === undefined) return this.varint(-1);
    if (typeof data === 'string') {
      if (this.#writeShort(data)) return;
      this.varint(Buffer.byteLength(data));
      this.position += this.bytes.write(data, this.position);
    } else {
      this.varint(data.length);
      this.bytes.set(data, this.position);
      this.position += data.length;
    }
  }

  /** Writes a text whose length takes one byte, if it is ASCII; in vain otherwise, which does no harm since the text is to go there anyway. */
  #writeShort(text: string): boolean {
    if (text.length > SHORT) return false;
    const from = this.position + 1;
    let bits = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      bits |= code;
      this.bytes[from + i] = code;
    }
    if (bits >= 0x80) return false;
    this.bytes[this.position] = 2 * text.length;
    this.position = from + text.length;
    return true;
  }
}

export const sizeOfString = (text: string | null | undefined): number => 2 + (text === undefined || text === null ? 0 : Buffer.byteLength(text));

export const sizeOfCompactString = (text: string | null | undefined): number =>
  text === null || text === undefined ? 1 : sizeOfUnsigned(Buffer.byteLength(text) + 1) + Buffer.byteLength(text);

export function sizeOfData(data: Data): number {
  if (data === null || data === undefined) return 1;
  const length = typeof data === 'string' ? sizeOfText(data) : data.length;
  return sizeOfVarint(length) + length;
}

/** Bytes of a text as UTF-8. Keys and headers are short and mostly ASCII: that is sooner seen than asked for outside of JavaScript. */
function sizeOfText(text: string): number {
  return isShortAscii(text) ? text.length : Buffer.byteLength(text);
}

function isShortAscii(text: string): boolean {
  if (text.length > SHORT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

/** Bytes of a whole number of up to 53 bits as a zigzag varint (protobuf's sint64). */
export const sizeOfVarint = (value: number): number => sizeOfUnsigned(value >= 0 ? 2 * value : -2 * value - 1);

export function sizeOfUnsigned(value: number): number {
  let rest = value;
  let size = 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}
