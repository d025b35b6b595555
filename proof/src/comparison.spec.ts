import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Finding, TOPICS } from '@millwright/contracts';
import fc from 'fast-check';
import { compare } from './comparison.js';
import { Recording, type OutputRecord } from './recording.js';

let folder: string;
let files = 0;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'millwright-comparison-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const finding = (key: string, value: number, place: number): OutputRecord => ({
  topic: TOPICS.quality.name, partition: 0, key,
  value: Buffer.from(Finding.encode(Finding.fromPartial({ asset: key, chart: 'torque', value, timeUs: place * 1e6 })).finish()),
  timeMs: place * 1000,
  schema: TOPICS.quality.schema,
  source: 'quality/0/production.v1',
  sequence: place + 1,
});

function recorded(records: readonly OutputRecord[]): Recording {
  const recording = new Recording(join(folder, `${files++}`));
  for (const record of records) recording.add(record);
  return recording;
}

const records = fc
  .array(fc.tuple(fc.constantFrom('S-301', 'S-302', 'S-303'), fc.double({ noNaN: true })), { minLength: 1, maxLength: 30 })
  .map((list) => list.map(([key, value], i) => finding(key, value, i)));

/** Records and the place of one of them. */
const chosen = records.chain((list) => fc.tuple(fc.constant(list), fc.nat(list.length - 1)));

describe('comparison of two runs', () => {
  it('finds them identical however the keys interleave', () => {
    fc.assert(
      fc.property(records, (list) => {
        const byKey = [...list].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
        expect(compare(recorded(list), recorded(byKey), { numbered: true })).toEqual({ lost: 0, duplicated: 0, identical: true, differences: [] });
      }),
    );
  });

  it('finds each record that is missing, that is there twice, or that has changed', () => {
    fc.assert(
      fc.property(chosen, ([list, at]) => {
        const without = list.toSpliced(at, 1);
        expect(compare(recorded(list), recorded(without))).toMatchObject({ lost: 1, duplicated: 0, identical: false });
        const twice = list.toSpliced(at, 0, list[at]!);
        expect(compare(recorded(list), recorded(twice))).toMatchObject({ lost: 0, duplicated: 1, identical: false });
        const other = list.with(at, { ...list[at]!, value: Buffer.concat([list[at]!.value, Buffer.of(0x28, 1)]) });
        expect(compare(recorded(list), recorded(other))).toMatchObject({ lost: 1, duplicated: 0, identical: false });
      }),
    );
  });

  it('finds another order within a key', () => {
    const list = [finding('S-301', 1, 0), finding('S-301', 2, 1)];
    const { lost, duplicated, identical, differences } = compare(recorded(list), recorded([...list].reverse()));
    expect({ lost, duplicated, identical }).toEqual({ lost: 0, duplicated: 0, identical: false });
    expect(differences).toHaveLength(1);
  });

  it('says where the first difference is and what it is', () => {
    const list = [finding('S-301', 1, 0), finding('S-301', 2, 1), finding('S-301', 3, 2)];
    const changed = list.with(1, { ...finding('S-301', 2.5, 1), timeMs: 1001 });
    expect(compare(recorded(list), recorded(changed)).differences).toEqual([
      'quality.v1, key S-301, record 1 of quality/0/production.v1 (of 3, 3 found): time is 1001, expected 1000; value is 2.5, expected 2',
    ]);
    expect(compare(recorded(list), recorded(list.slice(0, 2))).differences).toEqual([
      'quality.v1, key S-301, record 2 of quality/0/production.v1: missing, with all after it (3 expected, 2 found)',
    ]);
    expect(compare(recorded([]), recorded(list)).differences).toEqual(['quality.v1, key S-301: 3 records of quality/0/production.v1 that the other run does not have']);
  });

  it('compares the numbers of the writers only where it is asked to', () => {
    const list = [finding('S-301', 1, 0)];
    const renumbered = list.map((record) => ({ ...record, sequence: 7 }));
    expect(compare(recorded(list), recorded(renumbered)).identical).toBe(true);
    expect(compare(recorded(list), recorded(renumbered), { numbered: true }).differences).toEqual([
      'quality.v1, key S-301, record 0 of quality/0/production.v1 (of 1, 1 found): sequence is 7, expected 1',
    ]);
  });

  it('finds numbers of a writer that have gaps or come again', () => {
    const list = [1, 2, 2, 4].map((sequence, i) => ({ ...finding('S-301', i, i), sequence }));
    expect(recorded(list).misnumbered).toEqual([
      'quality.v1/0: quality/0/production.v1 wrote number 2 after 2',
      'quality.v1/0: quality/0/production.v1 wrote number 4 after 2',
    ]);
  });
});
