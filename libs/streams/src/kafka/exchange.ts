import { createRequire } from 'node:module';

/** A request with its answer, in the form that kafkajs's connections take. */
export interface Exchange<Answer> {
  readonly request: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string; encode(): Promise<unknown> };
  readonly response: { decode(bytes: Buffer): Promise<Answer>; parse(answer: Answer): Promise<Answer> };
}

/** One of kafkajs's encoders: what was written is the first `offset` bytes of `buf`. */
interface Encoder {
  buf: Buffer;
  offset: number;
  readonly buffer: Buffer;
  writeEncoder(body: Encoder): Encoder;
}

/** An encoder with room in front of what was written, `room` bytes of `whole`. */
type Roomy = Encoder & { [ROOM]?: { readonly whole: Buffer; readonly bytes: number } };

const ROOM = Symbol('room');
/** Room for what kafkajs puts in front of a body: size, kind and version of the request, correlation and client id. */
const HEAD_ROOM = 256;
const PATCHED = Symbol.for('millwright.kafkajs.encoder');

/** A body as kafkajs takes it in place of one of its encoders. */
type RoomyBody = Pick<Roomy, 'buf' | 'buffer' | typeof ROOM>;

/**
 * A body that kafkajs does not copy.
 * @param encode makes it, with so many bytes left in front
 */
export function roomy(encode: (headRoom: number) => Buffer): RoomyBody {
  const whole = encode(HEAD_ROOM);
  const buffer = whole.subarray(HEAD_ROOM);
  return { buf: buffer, buffer, [ROOM]: { whole, bytes: HEAD_ROOM } };
}

/**
 * Has kafkajs's encoders put what they have into the room in front of a body that they are to append, where there is some: so the body,
 * megabytes of it, stays where it is, and is not copied twice more.
 */
export function prependWhereThereIsRoom(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/protocol/encoder') as { readonly prototype: Encoder };
  if (Object.hasOwn(prototype, PATCHED)) return;
  Object.defineProperty(prototype, PATCHED, { value: true });
  const append = prototype.writeEncoder;
  prototype.writeEncoder = function (this: Roomy, body: Roomy): Encoder {
    const room = body[ROOM];
    if (room === undefined || room.bytes < this.offset) return append.call(this, body);
    const start = room.bytes - this.offset;
    this.buffer.copy(room.whole, start);
    this.buf = room.whole.subarray(start);
    this.offset = this.buf.length;
    this[ROOM] = { whole: room.whole, bytes: start };
    return this;
  };
}
