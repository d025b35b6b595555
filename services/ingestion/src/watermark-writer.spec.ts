import { describe, expect, it } from '@jest/globals';
import { Watermark, WATERMARK_SCHEMA } from '@millwright/contracts';
import { createLogger } from '@millwright/observability';
import { openEmbeddedLog, WATERMARK_KEY, type EventLog } from '@millwright/streams';
import { eventually, readAll } from '@millwright/streams/testing';
import { WatermarkTracker } from './watermark-tracker.js';
import { WatermarkWriter } from './watermark-writer.js';

async function setUp(append?: (log: EventLog) => EventLog['append']) {
  const log = openEmbeddedLog(':memory:');
  await log.createTopics(['a', 'b'].map((name) => ({ name, partitions: 2, retentionMs: 1e9, compacted: false })));
  const clock = { nowMs: 0 };
  const writer = new WatermarkWriter({
    log: append === undefined ? log : new Proxy(log, { get: (target, name) => (name === 'append' ? append(log) : (Reflect.get(target, name) as () => unknown).bind(target)) }),
    topics: ['a', 'b'],
    source: 'ingestion/one',
    tracker: new WatermarkTracker({ outOfOrderUs: 0, idleMs: 10_000 }),
    now: () => clock.nowMs,
    logger: createLogger({ service: 'test', level: 'silent' }),
  });
  const written = async () => (await readAll(log, ['a', 'b'])).map(({ topic, partition, value }) => `${topic}/${partition} ${Watermark.decode(value).timeUs}`);
  return { log, writer, clock, written };
}

describe('WatermarkWriter', () => {
  it('writes to every partition of every topic, once for each step of time', async () => {
    const { log, writer, written } = await setUp();
    await writer.start(60_000);
    await writer.flush();
    expect(await written()).toEqual([]);
    writer.advance('replay', 5_000_000);
    await writer.flush();
    await writer.flush();
    expect(await written()).toEqual(['a/0 5000000', 'a/1 5000000', 'b/0 5000000', 'b/1 5000000']);
    const [record] = await readAll(log, ['a']);
    expect(record).toMatchObject({ key: WATERMARK_KEY, timeMs: 5_000, headers: { schema: WATERMARK_SCHEMA, source: 'ingestion/one' } });
    await writer.end();
    await log.close();
  });

  it('writes by its timer, and again after the log refused', async () => {
    let refusals = 3;
    const { log, writer, written } = await setUp((target) => (records) => (refusals-- > 0 ? Promise.reject(new Error('away')) : target.append(records)));
    await writer.start(5);
    writer.advance('replay', 5_000_000);
    await eventually(() => writer.writtenUs === 5_000_000, 'the watermark is written');
    expect(await written()).toHaveLength(4);
    await writer.end();
    await log.close();
  });

  it('says its last when it ends, unless it has never said anything', async () => {
    const { log, writer } = await setUp();
    const marks = async () => (await readAll(log, ['a'])).filter(({ partition }) => partition === 0).map(({ value }) => Watermark.decode(value));
    await writer.start(60_000);
    writer.advance('replay', 5_000_000);
    await writer.flush();
    await writer.end();
    expect(await marks()).toEqual([{ timeUs: 5_000_000, last: false }, { timeUs: 5_000_000, last: true }]);
    await log.close();
    const silent = await setUp();
    await silent.writer.start(60_000);
    await silent.writer.end();
    expect(await silent.written()).toEqual([]);
    await silent.log.close();
  });

  it('lets time go on when all sources are silent', async () => {
    const { log, writer, clock, written } = await setUp();
    await writer.start(60_000);
    writer.observe('gateway', 1_000_000);
    clock.nowMs = 12_000;
    await writer.flush();
    expect((await written())[0]).toBe('a/0 13000000');
    await writer.end();
    await log.close();
  });
});
