import { describe, expect, it } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { Alarm, AlarmState, Priority, TelemetryBlock } from '@millwright/contracts';
import type { AlarmRule, Asset, AssetKind, Plant } from '@millwright/plant';
import { PipelineMeter } from './pipeline-meter.js';
import { render, type Frame } from './render.js';

const SECOND = 1_000_000;
const START_US = Date.UTC(2026, 0, 5, 6) * 1000;
const rule: AlarmRule = { priority: 'high', onAt: 1, offBelow: 1, onDelayUs: 0, offDelayUs: 0 };
const kind: AssetKind = {
  name: 'pump', window: { lengthUs: SECOND, hopUs: SECOND, graceUs: 0 }, signals: [], models: [], charts: [],
  alarms: { diagnosis: rule, finding: rule, silentSignal: rule, faultPriority: {} },
};
const asset = (id: string, line: string, description: string): Asset => ({ id, kind, site: 'Works', area: 'Hall', line, description });

function plantOf(assets: readonly Asset[]): Plant {
  return { name: 'test', enterprise: 'Test Works', directory: '', kinds: new Map([['pump', kind]]), assets: new Map(assets.map((each) => [each.id, each])) };
}

const PLANT = plantOf([asset('P-101', 'Pumps', 'Cooling water'), asset('P-102', 'Pumps', 'Boiler feed'), asset('T-1', 'Tanks', 'Syrup'), asset('T-2', 'Tanks', 'Blend')]);

function meterInTrouble(): PipelineMeter {
  const meter = new PipelineMeter();
  meter.arrived({ blocks: [TelemetryBlock.fromPartial({ asset: 'P-101', count: 0 })], production: [], advanceToUs: START_US + 90 * SECOND });
  meter.assets.set('P-101', { diagnosis: { label: 'outer_race', normal: false, confidence: 0.97, timeUs: START_US } });
  meter.assets.set('P-102', { diagnosis: { label: 'healthy', normal: true, confidence: 0.75, timeUs: START_US } });
  meter.assets.set('T-1', { finding: { description: 'level: 2.1 is beyond 3 sigma.', active: true, timeUs: START_US } });
  const alarms = [
    { id: 'P-101/diagnosis/outer_race', asset: 'P-101', priority: Priority.HIGH, state: AlarmState.UNACKNOWLEDGED, raisedUs: START_US + 25 * SECOND, message: 'P-101: outer race fault (97 %), signal vibration' },
    { id: 'T-1/quality/level', asset: 'T-1', priority: Priority.MEDIUM, state: AlarmState.ACKNOWLEDGED, raisedUs: START_US, message: 'T-1: level: 2.1 is beyond 3 sigma' },
    { id: 'T-2/silent/level', asset: 'T-2', priority: Priority.URGENT, state: AlarmState.RETURNED_UNACKNOWLEDGED, raisedUs: START_US, message: 'T-2: level sends nothing' },
  ];
  for (const alarm of alarms) meter.openAlarms.set(alarm.id, Alarm.fromPartial(alarm));
  return meter;
}

const frame = (fields: Partial<Frame> = {}): Frame => ({
  plant: PLANT, meter: meterInTrouble(), speed: 5, rates: { samples: 123_456, windows: 9.25, inferences: 42 }, elapsedS: 75, footer: ['gRPC 127.0.0.1:50051'], stalled: [], ...fields,
});

describe('frame of the live view', () => {
  it('shows machines by line, diagnoses, findings, alarms, rates and the ledger', () => {
    expect(render(frame(), 110, 24, false)).toEqual([
      'Millwright  Test Works   2026-01-05 06:01:30   ×5   running 1 min 15 s',
      '123 k samples/s  9.3 windows/s  42 diagnoses/s  latency p50 – ms, p99 – ms',
      '',
      'Hall / Pumps',
      '  ■ P-101  outer race       ████████  97 %   Cooling water',
      '  ● P-102  healthy          ██████░░  75 %   Boiler feed',
      'Hall / Tanks',
      '  ▲ T-1                                      level: 2.1 is beyond 3 sigma.',
      '  ○ T-2                                      Blend',
      '',
      'Open alarms (3)',
      '  high   not acknowledged   1 min 5 s  P-101: outer race fault (97 %), signal vibration',
      '  medium acknowledged      1 min 30 s  T-1: level: 2.1 is beyond 3 sigma',
      '  urgent back to normal    1 min 30 s  T-2: level sends nothing',
      'in 0   late 0   dead letters 0   lost 0   duplicated 0   findings 0   alarms 0',
      'Ctrl-C stops   gRPC 127.0.0.1:50051',
    ]);
  });

  it('says what does not fit: rows as "+N more", columns by an ellipsis', () => {
    const many = plantOf(Array.from({ length: 40 }, (_, i) => asset(`P-${i}`, 'Pumps', 'A pump with a rather long description that does not fit')));
    const lines = render(frame({ plant: many }), 60, 12, false);
    expect(lines).toHaveLength(12);
    expect(lines[4]).toBe('  ○ P-0                                     A pump with a r…');
    expect(lines.filter((line) => line.includes('more')).map((line) => line.trim())).toEqual(['+39 more', '+2 more']);
    expect(lines.at(-2)).toMatch(/^in 0 /);
  });

  it('begins with what it waits for, and names who is stalled', () => {
    const lines = render(frame({ meter: new PipelineMeter(), stalled: ['features/0 could not commit: the disk is full'] }), 80, 24, false);
    expect(lines[0]).toContain('waiting for data');
    expect(lines).toContain('No open alarms');
    expect(lines).toContain('features/0 could not commit: the disk is full');
  });

  it('fits any terminal, coloured or not, and colours change nothing but colour', () => {
    for (const [columns, rows] of [[20, 5], [80, 24], [140, 45], [33, 9], [1, 1]] as const) {
      const plain = render(frame(), columns, rows, false);
      expect(plain.length).toBeLessThanOrEqual(rows);
      for (const line of plain) expect(line.length).toBeLessThanOrEqual(columns);
      expect(render(frame(), columns, rows, true).map((line) => stripVTControlCharacters(line))).toEqual(plain);
    }
    expect(render(frame(), 80, 24, true).join('')).toContain('\u001b[31m');
  });
});
