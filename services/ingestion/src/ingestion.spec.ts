import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { status, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import {
  BadRequest, Encoding, packFloat32, packFloat64, ProductionUnit_State, TelemetryBlock, TOPICS,
  type ProductionRecord, type PublishContinuouslyRequest, type PublishContinuouslyResponse, type PublishRequest, type PublishResponse, type RecordProductionResponse, type Refusal,
} from '@millwright/contracts';
import { statusDetails } from '@millwright/shell';
import { partitionFor, type EventLog, type LogRecord } from '@millwright/streams';
import { eventually, readAll } from '@millwright/streams/testing';
import { block, gated, START_US, startIngestion, type Fixture } from './testing/fixture.js';

const data = async (fixture: Fixture, topic: string = TOPICS.telemetry.name): Promise<LogRecord[]> =>
  (await readAll(fixture.log, [topic])).filter(({ key }) => !key.startsWith('~'));

function publish({ ingestion }: Fixture, ...requests: PublishRequest[]): Promise<PublishResponse> {
  return new Promise((resolve, reject) => {
    const call = ingestion.publish((error, response) => (error === null ? resolve(response) : reject(error)));
    for (const request of requests) call.write(request);
    call.end();
  });
}

function record({ production }: Fixture, ...records: ProductionRecord[]): Promise<RecordProductionResponse> {
  return new Promise((resolve, reject) => {
    const call = production.recordProduction((error, response) => (error === null ? resolve(response) : reject(error)));
    call.write({ records });
    call.end();
  });
}

/** An open PublishContinuously stream with its answers. */
class Conversation {
  readonly answers: PublishContinuouslyResponse[] = [];
  error: ServiceError | undefined;
  readonly #call: ClientDuplexStream<PublishContinuouslyRequest, PublishContinuouslyResponse>;

  constructor({ ingestion }: Fixture) {
    this.#call = ingestion.publishContinuously();
    this.#call.on('data', (answer: PublishContinuouslyResponse) => this.answers.push(answer));
    this.#call.on('error', (error: ServiceError) => (this.error = error));
  }

  send(blocks: TelemetryBlock[], advanceToUs = 0, source = ''): this {
    this.#call.write({ blocks, advanceToUs, source });
    return this;
  }

  async answered(count: number): Promise<readonly PublishContinuouslyResponse[]> {
    await eventually(() => this.answers.length >= count || this.error !== undefined, `there are ${count} answers`);
    if (this.error !== undefined) throw this.error;
    return this.answers;
  }

  end(): void {
    this.#call.end();
  }
}

async function refusals(fixture: Fixture, blocks: TelemetryBlock[]): Promise<readonly Refusal[]> {
  const conversation = new Conversation(fixture).send(blocks);
  const [answer] = await conversation.answered(1);
  conversation.end();
  return answer!.refusals;
}

const sequences = (records: readonly LogRecord[]) => records.map(({ headers }) => headers.sequence).sort((a, b) => a - b);

describe('ingestion over gRPC', () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await startIngestion();
  });
  afterAll(() => fixture.close());

  it('writes a block as the client encoded it, under its asset, source and sequence', async () => {
    const sent = block({ source: 'as-sent', sequence: 7 });
    await expect(publish(fixture, { blocks: [sent] })).resolves.toEqual({ accepted: 1, repeatedBlocks: 0 });
    const written = (await data(fixture)).find(({ headers }) => headers.source === 'as-sent')!;
    expect(Buffer.from(written.value)).toEqual(Buffer.from(TelemetryBlock.encode(sent).finish()));
    expect(written).toMatchObject({
      key: 'P-1',
      partition: partitionFor('P-1', 3),
      timeMs: START_US / 1000,
      headers: { schema: TOPICS.telemetry.schema, source: 'as-sent', sequence: 7 },
    });
  });

  const signal = (changes: object, which: 0 | 1 = 0): Partial<TelemetryBlock> => ({
    signals: block().signals.map((values, i) => (i === which ? { ...values, ...changes } : values)),
  });
  it.each<[string, string, string, Partial<TelemetryBlock>, RegExp]>([
    ['an unknown asset', 'asset', 'UNKNOWN_ASSET', { asset: 'P-3' }, /no asset "P-3"; did you mean P-1\?/],
    ['no source', 'source', 'INVALID_SOURCE', { source: '' }, /1 to 200/],
    ['sequence 0', 'sequence', 'INVALID_SEQUENCE', { sequence: 0 }, /from 1/],
    ['an unknown signal', 'signals[0].signal', 'UNKNOWN_SIGNAL', signal({ signal: 'temperatur' }), /P-1 \(pump\) has no signal "temperatur"; did you mean temperature\?/],
    ['a signal twice', 'signals[1].signal', 'DUPLICATE_SIGNAL', signal({ signal: 'temperature' }, 1), /temperature twice/],
    ['a wrong unit', 'signals[0].unit', 'UNIT_MISMATCH', signal({ unit: 'K' }), /measured in "degC", not "K"/],
    ['an unknown encoding', 'signals[0].encoding', 'UNKNOWN_ENCODING', signal({ encoding: 9 }), /encoding is 9/],
    ['too few values', 'signals[0].values', 'LENGTH_MISMATCH', signal({ values: new Uint8Array(12) }), /12 bytes .* give 16 bytes/],
    ['values of another encoding', 'signals[0].values', 'LENGTH_MISMATCH', signal({ encoding: Encoding.FLOAT64 }), /give 32 bytes/],
    ['NaN where it is rejected', 'signals[0].values[2]', 'NAN_NOT_ALLOWED', signal({ values: packFloat32(Float32Array.of(1, 2, NaN, 4)) }), /NaN at sample 2/],
    ['a value above the range', 'signals[0].values[3]', 'OUT_OF_RANGE', signal({ values: packFloat32(Float32Array.of(1, 2, 3, 201)) }), /201 at sample 3, and -40 to 200 degC/],
    ['an infinite value', 'signals[1].values[0]', 'OUT_OF_RANGE', signal({ values: packFloat32(Float32Array.of(-Infinity, 2, 3, 4)) }, 1), /-Infinity/],
    ['no samples', 'count', 'NO_SAMPLES', { count: 0, signals: [{ signal: 'vibration', unit: '', encoding: 1, values: new Uint8Array() }] }, /count is 0/],
    ['no signals', 'signals', 'NO_SIGNALS', { signals: [] }, /no signals/],
    ['an interval of 0', 'interval_us', 'INVALID_INTERVAL', { intervalUs: 0 }, /above 0/],
    ['an infinite interval', 'interval_us', 'INVALID_INTERVAL', { intervalUs: Infinity }, /above 0/],
    ['offsets of another count', 'offsets_us', 'LENGTH_MISMATCH', { offsetsUs: new Uint8Array(24) }, /give 32 bytes/],
    ['offsets that descend', 'offsets_us[2]', 'INVALID_OFFSETS', { offsetsUs: packFloat64(Float64Array.of(0, 5, 4, 6)) }, /4 after 5/],
    ['a time before 1970', 'start_us', 'INVALID_TIME', { startUs: -1 }, /since 1970/],
    ['a clock that is ahead', 'start_us', 'CLOCK_AHEAD', { startUs: (Date.now() + 3_600_000) * 1000 }, /ahead of the clock/],
    ['a block beyond 512 KiB', '', 'BLOCK_TOO_LARGE', { offsetsUs: new Uint8Array(513 * 1024) }, /at most 524288/],
  ])('refuses %s, naming %s', async (_what, field, reason, changes, description) => {
    const good = [block({ source: `beside ${_what}`, sequence: 1 }), block({ source: `beside ${_what}`, sequence: 2 })];
    const found = await refusals(fixture, [good[0]!, block({ source: 'wrong', ...changes }), good[1]!]);
    expect(found).toEqual([{ field: field === '' ? 'blocks[1]' : `blocks[1].${field}`, reason, description: expect.stringMatching(description) }]);
    const kept = (await data(fixture)).filter(({ headers }) => headers.source === `beside ${_what}`);
    expect(sequences(kept)).toEqual([1, 2]);
  });

  it('takes NaN as a missing sample, irregular samples and data of long ago', async () => {
    const irregular = block({ source: 'old', startUs: 0, intervalUs: 0, offsetsUs: packFloat64(Float64Array.of(0, 10, 10, 4e9)) });
    await expect(refusals(fixture, [irregular])).resolves.toEqual([]);
  });

  it('ends Publish at a wrong block with a google.rpc.Status that names the field, and keeps what was good', async () => {
    const good = (sequence: number) => block({ source: 'strict', sequence });
    const wrong = block({ source: 'strict', sequence: 3, ...signal({ unit: 'K' }) });
    const error = await publish(fixture, { blocks: [good(1)] }, { blocks: [good(2), wrong, good(4)] }).catch((thrown: ServiceError) => thrown);
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    const [detail] = statusDetails(error as ServiceError)!.details;
    expect(BadRequest.decode(detail!.value).fieldViolations).toEqual([
      { field: 'blocks[1].signals[0].unit', reason: 'UNIT_MISMATCH', description: expect.stringContaining('request 2 of the stream') },
    ]);
    expect(sequences((await data(fixture)).filter(({ headers }) => headers.source === 'strict'))).toEqual([1, 2, 4]);
  });

  it('acknowledges repeats and writes them once, also within one request and out of order', async () => {
    const blocks = [1, 3, 2, 3, 1].map((sequence) => block({ source: 'again', sequence }));
    await expect(publish(fixture, { blocks })).resolves.toEqual({ accepted: 3, repeatedBlocks: 2 });
    await expect(publish(fixture, { blocks }, { blocks: [block({ source: 'again', sequence: 4 })] })).resolves.toEqual({ accepted: 1, repeatedBlocks: 5 });
    expect(sequences((await data(fixture)).filter(({ headers }) => headers.source === 'again'))).toEqual([1, 2, 3, 4]);
  });

  it.each(['Publish', 'PublishContinuously'])('answers INVALID_ARGUMENT to bytes that are no message on %s, and lives on', async (method) => {
    const error = await new Promise<ServiceError>((resolve) => {
      const path = `/millwright.telemetry.v1.IngestionService/${method}`;
      const asIs = (bytes: Buffer): Buffer => bytes;
      const call = fixture.ingestion.makeBidiStreamRequest(path, asIs, asIs);
      call.on('error', resolve);
      call.on('data', () => undefined);
      call.write(Buffer.from([0x0a, 0xff, 0xff, 0x03, 0x01]));
    });
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining("can't be read") });
    await expect(publish(fixture, { blocks: [block({ source: `after ${method}` })] })).resolves.toMatchObject({ accepted: 1 });
  });

  it('refuses a block whose bytes are no block and keeps its neighbours', async () => {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const asIs = (bytes: Buffer): Buffer => bytes;
      const call = fixture.ingestion.makeBidiStreamRequest('/millwright.telemetry.v1.IngestionService/PublishContinuously', asIs, asIs);
      call.on('error', reject);
      call.on('data', resolve);
      const good = Buffer.from(TelemetryBlock.encode(block({ source: 'beside garbage' })).finish());
      call.write(Buffer.concat([field(good), field(Buffer.from([0x0a, 0x7f]))]));
      call.end();
    });
    expect(answer.toString('latin1')).toMatch(/blocks\[1\][^]*MALFORMED/);
    expect((await data(fixture)).filter(({ headers }) => headers.source === 'beside garbage')).toHaveLength(1);
  });

  it('takes production records, and names what is wrong with one', async () => {
    const unit: ProductionRecord = {
      source: 'mes', sequence: 1, asset: 'P-2', timeUs: START_US,
      body: { $case: 'unit', value: { unitId: 'U-1', product: '', workOrder: '', lot: '', state: ProductionUnit_State.STARTED } },
    };
    await expect(record(fixture, unit, unit)).resolves.toEqual({ accepted: 1, repeatedRecords: 1 });
    const error = (await record(fixture, { ...unit, sequence: 2, asset: 'P-22', body: undefined }).catch((thrown: unknown) => thrown)) as ServiceError;
    const violations = BadRequest.decode(statusDetails(error)!.details[0]!.value).fieldViolations;
    expect(violations.map(({ field: path, reason }) => [path, reason])).toEqual([
      ['records[0].asset', 'UNKNOWN_ASSET'],
      ['records[0].body', 'NO_BODY'],
    ]);
    expect(await data(fixture, TOPICS.production.name)).toHaveLength(1);
  });

  it('refuses to advance time without a name, or ahead of the clock', async () => {
    const conversation = new Conversation(fixture).send([], START_US).send([], Date.now() * 1000 + 3_600_000_000, 'eager');
    const [nameless, eager] = await conversation.answered(2);
    conversation.end();
    expect(nameless!.refusals).toMatchObject([{ field: 'source', reason: 'INVALID_SOURCE' }]);
    expect(eager!.refusals).toMatchObject([{ field: 'advance_to_us', reason: 'CLOCK_AHEAD' }]);
  });
});

/** Field 1, length-delimited. */
function field(bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128);
    if (rest < 128) return Buffer.concat([Buffer.from([0x0a, ...length]), bytes]);
  }
}

describe('ingestion on a log that is slow or away', () => {
  it('stops reading while too many bytes are under way, and loses nothing', async () => {
    const open = Promise.withResolvers<void>();
    let offered = 0;
    const slow = (log: EventLog) => gated(log, TOPICS.telemetry.name, () => (offered++, open.promise));
    const limit = 1_048_576;
    const fixture = await startIngestion({ maxInFlightBytes: limit }, slow);
    try {
      const big = (sequence: number) => block({ sequence, count: 25_000, intervalUs: 1, signals: [{ signal: 'vibration', unit: 'g', encoding: 1, values: new Uint8Array(100_000) }] });
      const sending = new Conversation(fixture);
      for (let sequence = 1; sequence <= 60; sequence++) sending.send([big(sequence)]);
      // What is let in stays within the limit, however long the log takes.
      await eventually(() => offered >= Math.floor(limit / 100_200), 'the intake is full');
      await publishNothing(fixture);
      expect(offered).toBe(Math.floor(limit / 100_200));
      open.resolve();
      const answers = await sending.answered(60);
      sending.end();
      expect(answers.every(({ accepted }) => accepted === 1)).toBe(true);
      expect((await data(fixture)).map(({ headers }) => headers.sequence)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    } finally {
      open.resolve();
      await fixture.close();
    }
  });

  it('answers UNAVAILABLE when the log fails, also to a repeat that waited for the same write, and takes both when sent again', async () => {
    let writes: PromiseWithResolvers<void>[] = [];
    const failing = (log: EventLog) =>
      gated(log, TOPICS.telemetry.name, () => {
        const write = Promise.withResolvers<void>();
        writes.push(write);
        return write.promise;
      });
    const fixture = await startIngestion({}, failing);
    try {
      const first = publish(fixture, { blocks: [block()] });
      first.catch(() => undefined);
      await eventually(() => writes.length === 1, 'the first write is under way');
      const second = publish(fixture, { blocks: [block()] });
      second.catch(() => undefined);
      await publishNothing(fixture);
      writes[0]!.reject(new Error('disk full'));
      for (const call of [first, second]) await expect(call).rejects.toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('send again') });
      writes = [];
      const again = publish(fixture, { blocks: [block()] });
      await eventually(() => writes.length === 1, 'it is written again');
      writes[0]!.resolve();
      await expect(again).resolves.toEqual({ accepted: 1, repeatedBlocks: 0 });
      expect(await data(fixture)).toHaveLength(1);
    } finally {
      await fixture.close();
    }
  });

  it('shuts down in order: what is under way is answered, then the stream ends with UNAVAILABLE', async () => {
    const open = Promise.withResolvers<void>();
    let offered = 0;
    const fixture = await startIngestion({}, (log) => gated(log, TOPICS.telemetry.name, () => (offered++, open.promise)));
    const conversation = new Conversation(fixture).send([block()]);
    await eventually(() => offered === 1, 'a write is under way');
    const closing = fixture.shell.close();
    open.resolve();
    await eventually(() => conversation.error !== undefined, 'the stream ends');
    expect(conversation.answers).toMatchObject([{ accepted: 1 }]);
    expect(conversation.error).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('shutting down') });
    await closing;
    fixture.ingestion.close();
    await fixture.log.close();
  });
});

/** A round trip through the server, so that what was sent before has been looked at. */
async function publishNothing(fixture: Fixture): Promise<void> {
  await publish(fixture, { blocks: [] });
}
