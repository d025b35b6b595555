/** The longest text that is looked through in JavaScript, which takes less than asking for its length outside of it. */
const SHORT = 63;

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

  string(text: string | undefined): void {
    if (text === undefined) return this.int16(-1);
    this.int16(Buffer.byteLength(text));
    this.position += this.bytes.write(text, this.position);
  }

  /** A text or none in the form of newer versions: the length comes as a varint, one more than it is. */
  compactString(text: string | undefined): void {
    if (text === undefined) return this.unsigned(0);
    this.unsigned(Buffer.byteLength(text) + 1);
    this.position += this.bytes.write(text, this.position);
  }

  /** A whole number as records have them: zigzag-encoded, and here never negative. */
  varint(value: number): void {
    this.unsigned(2 * value);
  }

  /** A text with its length before it, as records have them. */
  varintText(text: string): void {
    if (this.#writeShort(text)) return;
    this.varint(Buffer.byteLength(text));
    this.position += this.bytes.write(text, this.position);
  }

  copy(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** A whole number as a varint. */
  unsigned(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.position++] = (rest % 128) | 0x80;
    this.bytes[this.position++] = rest;
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

export const sizeOfString = (text: string | undefined): number => 2 + (text === undefined ? 0 : Buffer.byteLength(text));

export const sizeOfCompactString = (text: string | undefined): number =>
  text === undefined ? 1 : sizeOfUnsigned(Buffer.byteLength(text) + 1) + Buffer.byteLength(text);

/** Bytes of a text as UTF-8. */
export function sizeOfText(text: string): number {
  return isShortAscii(text) ? text.length : Buffer.byteLength(text);
}

function isShortAscii(text: string): boolean {
  if (text.length > SHORT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

export function sizeOfUnsigned(value: number): number {
  let rest = value;
  let size = 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}
