import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hideAborted, type AbortedTransaction, type FetchedRecord } from './aborted-records.js';

const COMMIT = Buffer.from([0, 0, 0, 1]);
const ABORT = Buffer.from([0, 0, 0, 0]);

/** A partition written by several producers whose transactions overlap: what each step wrote, and whether it is to be seen. */
function partition(steps: readonly { producer: number; act: 'write' | 'commit' | 'abort' }[]) {
  const records: FetchedRecord[] = [];
  const visible = new Map<FetchedRecord, boolean>();
  const open = new Map<number, FetchedRecord[]>();
  const aborted: (AbortedTransaction & { readonly endOffset: number })[] = [];
  const end = (producer: number, act: 'commit' | 'abort'): void => {
    const written = open.get(producer);
    if (written === undefined) return;
    open.delete(producer);
    for (const record of written) visible.set(record, act === 'commit');
    // The broker lists aborted transactions as they end.
    if (act === 'abort') aborted.push({ producerId: `${producer}`, firstOffset: written[0]!.offset, endOffset: records.length });
    records.push({ offset: `${records.length}`, key: act === 'commit' ? COMMIT : ABORT, isControlRecord: true, batchContext: { producerId: `${producer}`, inTransaction: true } });
  };
  for (const { producer, act } of steps) {
    if (act !== 'write') end(producer, act);
    else {
      const record: FetchedRecord = { offset: `${records.length}`, key: null, isControlRecord: false, batchContext: { producerId: `${producer}`, inTransaction: true } };
      records.push(record);
      open.set(producer, [...(open.get(producer) ?? []), record]);
    }
  }
  for (const producer of [...open.keys()]) end(producer, 'abort');
  return { records, visible, aborted };
}

describe('records of aborted transactions', () => {
  it('are hidden where two transactions overlap and the one that began first ends last', () => {
    const { records, aborted } = partition([
      { producer: 1, act: 'write' },
      { producer: 2, act: 'write' },
      { producer: 2, act: 'abort' },
      { producer: 1, act: 'abort' },
    ]);
    expect(aborted.map(({ firstOffset }) => firstOffset)).toEqual(['1', '0']);
    hideAborted(records, aborted);
    expect(records.every(({ isControlRecord }) => isControlRecord)).toBe(true);
  });

  it('are hidden, and no others, whatever overlaps and wherever a fetch begins', () => {
    const step = fc.record({ producer: fc.integer({ min: 1, max: 4 }), act: fc.constantFrom('write', 'write', 'write', 'commit', 'abort') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, cut) => {
        const { records, visible, aborted } = partition(steps as Parameters<typeof partition>[0]);
        const from = records.length === 0 ? 0 : cut % records.length;
        const fetched = records.slice(from);
        // The broker names what reaches into the fetch, in the order of their ends.
        hideAborted(fetched, aborted.filter(({ endOffset }) => endOffset >= from));
        for (const record of fetched) if (visible.has(record)) expect(record.isControlRecord).toBe(!visible.get(record)!);
      }),
    );
  });
});
