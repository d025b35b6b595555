import { describe, expect, it } from '@jest/globals';
import { isFence, isLostTransaction } from './errors.js';
import type { Exchange } from './exchange.js';
import { endTxn, finalizedFeatures, txnOffsetCommit } from './transaction-requests.js';

const IDENTITY = { producerId: '7', producerEpoch: 3 };
const read = async <T>({ response }: Exchange<T>, bytes: number[]): Promise<T> => response.parse(await response.decode(Buffer.from(bytes)));
const failure = (read: Promise<unknown>): Promise<unknown> => read.then(() => undefined, (error: unknown) => error);
const THROTTLE = [0, 0, 0, 0];

describe('answers of the broker', () => {
  it('are read past tagged fields that are not known', async () => {
    // Tag 5 of two bytes in the header, tag 200 of three at the end.
    const bytes = [1, 5, 2, 9, 9, ...THROTTLE, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4, 1, 0xc8, 0x01, 3, 1, 2, 3];
    expect(await read(endTxn('id', IDENTITY, true), bytes)).toEqual({ producerId: '256', producerEpoch: 4 });
  });

  it('tell a fence and a transaction to be aborted, which kafkajs has no names for', async () => {
    const ended = (code: number) => read(endTxn('id', IDENTITY, true), [0, ...THROTTLE, 0, code, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0]);
    expect(isFence(await failure(ended(90)))).toBe(true);
    expect(isLostTransaction(await failure(ended(90)))).toBe(false);
    expect(isLostTransaction(await failure(ended(120)))).toBe(true);
  });

  it('fail when one of many partitions was refused', async () => {
    const committed = (code: number) =>
      read(txnOffsetCommit('id', 'group', IDENTITY, []), [0, ...THROTTLE, 2, 2, 0x74, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, code, 0, 0, 0]);
    expect(await failure(committed(0))).toBeUndefined();
    expect(await failure(committed(51))).toMatchObject({ type: 'CONCURRENT_TRANSACTIONS' });
  });

  it('tell of no features where the broker knows of none', async () => {
    // An older broker answers in the first version of this request.
    expect(await read(finalizedFeatures(), [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2])).toEqual(new Map());
    expect(await read(finalizedFeatures(), [0, 0, 1, ...THROTTLE, 0])).toEqual(new Map());
    const features = [2, 0x04, 0x61, 0x62, 0x63, 0, 2, 0, 1, 0];
    expect(await read(finalizedFeatures(), [0, 0, 2, 0, 18, 0, 0, 0, 4, 0, ...THROTTLE, 2, 1, 1, 7, 2, features.length, ...features])).toEqual(new Map([['abc', 2]]));
  });
});
