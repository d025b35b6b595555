import { describe, expect, it } from '@jest/globals';
import { Alarm, AlarmState, Priority } from '@millwright/contracts';
import fc from 'fast-check';
import { listAlarms } from './alarm-list.js';

const alarm = (asset: string, condition: string, priority: Priority, raisedUs: number, state = AlarmState.UNACKNOWLEDGED): Alarm =>
  Alarm.fromPartial({ id: `${asset}/${condition}`, asset, condition, priority, raisedUs, state });

const ALARMS = [
  alarm('A', 'low', Priority.LOW, 5),
  alarm('B', 'old', Priority.HIGH, 1),
  alarm('B', 'new', Priority.HIGH, 2),
  alarm('B', 'urgent', Priority.URGENT, 0),
  alarm('C', 'high', Priority.HIGH, 9),
  alarm('D', 'over', Priority.URGENT, 9, AlarmState.NORMAL),
];

describe('list of alarms', () => {
  it('has the most urgent asset first, and within it the most urgent and newest alarm; none that are normal', () => {
    const { groups } = listAlarms(ALARMS, 100, '')!;
    expect(groups.map(({ asset, priority, alarms }) => [asset, priority, alarms.map(({ condition }) => condition)])).toEqual([
      ['B', Priority.URGENT, ['urgent', 'new', 'old']],
      ['C', Priority.HIGH, ['high']],
      ['A', Priority.LOW, ['low']],
    ]);
  });

  it('comes in pages that add up to the whole, whatever their size', () => {
    const alarms = fc.uniqueArray(
      fc.record({ asset: fc.constantFrom('A', 'B', 'C'), name: fc.nat(40), priority: fc.integer({ min: 1, max: 4 }), raisedUs: fc.nat(3) }),
      { selector: ({ asset, name }) => `${asset}/${name}` },
    );
    fc.assert(
      fc.property(alarms, fc.integer({ min: 1, max: 7 }), (specs, size) => {
        const all = specs.map(({ asset, name, priority, raisedUs }) => alarm(asset, String(name), priority as Priority, raisedUs));
        const whole = listAlarms(all, 1000, '')!;
        const paged: string[] = [];
        let token = '';
        do {
          const page = listAlarms(all, size, token)!;
          paged.push(...page.groups.flatMap((group) => group.alarms.map(({ id }) => id)));
          token = page.nextPageToken;
        } while (token !== '');
        expect(paged).toEqual(whole.groups.flatMap((group) => group.alarms.map(({ id }) => id)));
        expect(whole.nextPageToken).toBe('');
      }),
    );
  });

  it('goes on behind an alarm that has gone meanwhile', () => {
    const { nextPageToken } = listAlarms(ALARMS, 2, '')!;
    const rest = listAlarms(ALARMS.filter(({ condition }) => condition !== 'new'), 2, nextPageToken)!;
    expect(rest.groups.flatMap(({ alarms }) => alarms.map(({ condition }) => condition))).toEqual(['old', 'high']);
  });

  it('refuses a token that it did not give', () => {
    expect(listAlarms(ALARMS, 2, 'nonsense')).toBeUndefined();
    expect(listAlarms(ALARMS, 2, Buffer.from('[1,2]').toString('base64url'))).toBeUndefined();
  });
});
