import { describe, expect, it } from '@jest/globals';
import { DeadLetter, deadLetterTopic, TOPICS, WATERMARK_SCHEMA } from '@millwright/contracts';
import { PipelineMeter, unaccounted } from '@millwright/liveview';
import { createLogger, noTelemetry } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { DEFAULT_SETTINGS } from '@millwright/service-ingestion';
import { startStandalone } from '@millwright/service-standalone';
import { readEnvironment, shellEnvironment } from '@millwright/shell';
import { createSimulator } from '@millwright/simulator';
import type { EventLog, LogRecord } from '@millwright/streams';
import { plantPath } from './home.js';

const plant = loadPlant(plantPath('demo'));
/** Inputs of the processors, each with those that read it. */
const READERS = {
  [TOPICS.telemetry.name]: ['features'],
  [TOPICS.features.name]: ['inference', 'inference-drift', 'quality'],
  [TOPICS.production.name]: ['quality'],
  [TOPICS.inferences.name]: ['alerting', 'inference-drift'],
  [TOPICS.quality.name]: ['alerting'],
};
const OUTPUTS: readonly string[] = [TOPICS.features, TOPICS.inferences, TOPICS.quality, TOPICS.alarms].map(({ name }) => name);
/** Long enough for the first fault to be alarmed. */
const SECONDS = 40;
/** No message of any kind: a field of a length that is not there. */
const CORRUPT = Uint8Array.of(0x0a, 0xff, 0x7f, 1, 2, 3);

describe('a corrupt record on a topic', () => {
  it('goes to the dead letters of its topic with the reason, and all else goes on as if it had not been there', async () => {
    const clean = await play(() => undefined);
    const corrupted = await play(async (log, second) => {
      if (second % 10 !== 5) return;
      const record = (topic: string) => ({ topic, partition: 0, key: 'P-102', value: CORRUPT, timeMs: 0, headers: { schema: 'unknown', source: 'somebody', sequence: Math.ceil(second / 10) } });
      await log.append(Object.keys(READERS).map(record));
    });

    for (const [topic, readers] of Object.entries(READERS)) {
      const letters = corrupted.records.filter((record) => record.topic === deadLetterTopic(topic)).map(({ value }) => DeadLetter.decode(value));
      expect(letters).toHaveLength(4 * readers.length);
      expect(new Set(letters.map(({ processor }) => processor))).toEqual(new Set(readers));
      for (const letter of letters) {
        expect(letter).toMatchObject({ topic, partition: 0 });
        expect(Buffer.from(letter.key).toString()).toBe('P-102');
        expect(Uint8Array.from(letter.value)).toEqual(CORRUPT);
        expect(letter.error).toMatch(/\w+ .+/);
      }
    }
    const { outputs, alarms } = results(corrupted.records);
    expect(outputs).toEqual(results(clean.records).outputs);
    expect(alarms).toBeGreaterThan(0);
    expect(clean.unaccounted + corrupted.unaccounted).toBe(0);
  });
});

/** Plays the demo plant through a line of its own; `disturb` may write into the log before each second. */
async function play(disturb: (log: EventLog, second: number) => Promise<void> | void): Promise<{ records: LogRecord[]; unaccounted: number }> {
  const { config } = readEnvironment({ config: shellEnvironment }, { MILLWRIGHT_PLANT: 'demo', MILLWRIGHT_PARTITIONS: '1', GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1', LOG_LEVEL: 'silent' });
  const ingestion = { ...DEFAULT_SETTINGS, idleMs: Infinity, maxAheadMs: Infinity };
  const standalone = await startStandalone({ plant, file: ':memory:', config, ingestion, logger: createLogger({ service: 'standalone', level: config.logLevel }), telemetry: noTelemetry });
  try {
    const { log, intake } = standalone;
    const meter = new PipelineMeter();
    await meter.attach(log);
    const simulator = createSimulator(plant);
    for (let second = 0; second < SECONDS; second++) {
      await disturb(log, second);
      const { production, blocks, advanceToUs } = simulator.step();
      for (const { durable } of [await intake.production.take(production), await intake.telemetry.take(blocks)]) await durable;
      intake.advance(simulator.name, advanceToUs);
      await intake.flush();
      await meter.waitForWatermark(advanceToUs);
    }
    const records: LogRecord[] = [];
    const tail = await log.tail({ topics: [...OUTPUTS, ...Object.keys(READERS).map(deadLetterTopic)], from: 'earliest', batch: (batch) => void records.push(...batch.records) });
    await tail.caughtUp();
    await tail.close();
    await meter.close();
    return { records: records.filter(({ headers }) => headers.schema !== WATERMARK_SCHEMA), unaccounted: unaccounted(standalone.statuses()) };
  } finally {
    await standalone.close();
  }
}

/** What came out, topic by topic and key by key, in order, without what was disturbed by hand; and how many alarm events. */
function results(records: readonly LogRecord[]): { outputs: Record<string, string[]>; alarms: number } {
  const outputs: Record<string, string[]> = {};
  for (const { topic, key, value, headers } of records) {
    if (OUTPUTS.includes(topic) && headers.source !== 'somebody') (outputs[`${topic} ${key}`] ??= []).push(Buffer.from(value).toString('base64'));
  }
  return { outputs, alarms: Object.keys(outputs).filter((id) => id.startsWith(TOPICS.alarms.name)).length };
}
