import { stripVTControlCharacters, styleText } from 'node:util';
import { AlarmState, Priority, TOPICS, type Alarm } from '@millwright/contracts';
import type { Asset, Plant } from '@millwright/plant';
import type { AssetView, PipelineMeter } from './pipeline-meter.js';

/** What a frame shows besides the meter. */
export interface Frame {
  readonly plant: Plant;
  readonly meter: PipelineMeter;
  readonly speed: number | 'max';
  /** Per second of real time, over the last few seconds. */
  readonly rates: { readonly samples: number; readonly windows: number; readonly inferences: number };
  /** Seconds since the run began. */
  readonly elapsedS: number;
  readonly footer: readonly string[];
  /** Why a processor makes no progress, where one does not. */
  readonly stalled: readonly string[];
}

type Style = Parameters<typeof styleText>[0];
// The stream's own colours decide (NO_COLOR, TERM=dumb), not those of whoever tests.
const styled = (style: Style, text: string): string => styleText(style, text, { validateStream: false });

const HEALTH: Readonly<Record<Health, { readonly mark: string; readonly style: Style }>> = {
  good: { mark: '●', style: 'green' },
  watch: { mark: '▲', style: 'yellow' },
  bad: { mark: '■', style: 'red' },
  unknown: { mark: '○', style: 'gray' },
};
type Health = 'good' | 'watch' | 'bad' | 'unknown';

/** One frame of the live view: at most `rows` lines of at most `columns` characters. */
export function render(frame: Frame, columns: number, rows: number, colour = true): string[] {
  const head = header(frame);
  const foot = footer(frame);
  const room = Math.max(0, rows - head.length - foot.length - 2);
  const alarms = alarmLines(frame.meter);
  const machines = machineLines(frame);
  // Alarms get up to half of the room, machines what is left.
  const alarmRoom = Math.min(alarms.length, Math.max(room - machines.length, Math.floor(room / 2)));
  const lines = [...head, '', ...cut(machines, room - alarmRoom), '', ...cut(alarms, alarmRoom), ...foot].slice(0, rows);
  return lines.map((line) => fit(colour ? line : stripVTControlCharacters(line), columns));
}

function header({ plant, meter, speed, rates, elapsedS }: Frame): string[] {
  const time = meter.eventTimeUs > -Infinity ? new Date(meter.eventTimeUs / 1000).toISOString().slice(0, 19).replace('T', ' ') : 'waiting for data';
  const quantile = (q: number): string => `${milliseconds(meter.latency.quantile(q))} ms`;
  return [
    `${styled('bold', `Millwright  ${plant.enterprise}`)}   ${time}   ${speed === 'max' ? 'as fast as it goes' : `×${speed}`}   running ${duration(elapsedS)}`,
    `${amount(rates.samples)} samples/s  ${amount(rates.windows)} windows/s  ${amount(rates.inferences)} diagnoses/s  latency p50 ${quantile(0.5)}, p99 ${quantile(0.99)}`,
  ];
}

function machineLines({ plant, meter }: Frame): string[] {
  const byLine = new Map<string, Asset[]>();
  for (const asset of plant.assets.values()) {
    const title = `${asset.area} / ${asset.line}`;
    byLine.set(title, [...(byLine.get(title) ?? []), asset]);
  }
  const width = Math.max(...[...plant.assets.keys()].map((id) => id.length));
  const lines: string[] = [];
  for (const [title, assets] of byLine) {
    lines.push(styled('bold', title));
    for (const asset of assets) lines.push(machineLine(asset, width, meter));
  }
  return lines;
}

function machineLine({ id, description }: Asset, width: number, meter: PipelineMeter): string {
  const view = meter.assets.get(id);
  const open = [...meter.openAlarms.values()].filter((alarm) => alarm.asset === id);
  const { mark, style } = HEALTH[healthOf(view, open)];
  const { diagnosis, finding } = view ?? {};
  const judged = diagnosis === undefined ? '' : `${diagnosis.label.replaceAll('_', ' ').padEnd(16)} ${bar(diagnosis.confidence)} ${String(Math.round(diagnosis.confidence * 100)).padStart(3)} %`;
  const found = finding?.active === true ? styled('yellow', finding.description) : '';
  return `  ${styled(style, mark)} ${id.padEnd(width)}  ${judged.padEnd(32)}  ${found === '' ? styled('gray', description) : found}`;
}

function healthOf(view: AssetView | undefined, open: readonly Alarm[]): Health {
  const inAlarm = open.filter(({ state }) => state !== AlarmState.RETURNED_UNACKNOWLEDGED);
  if (inAlarm.some(({ priority }) => priority >= Priority.HIGH)) return 'bad';
  if (inAlarm.length > 0 || view?.diagnosis?.normal === false || view?.finding?.active === true) return 'watch';
  return view === undefined ? 'unknown' : 'good';
}

function alarmLines({ openAlarms, eventTimeUs }: PipelineMeter): string[] {
  const alarms = [...openAlarms.values()].sort((a, b) => Number(inAlarm(b)) - Number(inAlarm(a)) || b.priority - a.priority || b.raisedUs - a.raisedUs);
  const title = styled('bold', alarms.length === 0 ? 'No open alarms' : `Open alarms (${alarms.length})`);
  return [
    title,
    ...alarms.map((alarm) => {
      const style: Style = !inAlarm(alarm) ? 'gray' : alarm.priority >= Priority.HIGH ? 'red' : 'yellow';
      const age = duration(Math.max(0, (eventTimeUs - alarm.raisedUs) / 1e6));
      return `  ${styled(style, Priority[alarm.priority].toLowerCase().padEnd(6))} ${stateOf(alarm.state).padEnd(16)} ${age.padStart(11)}  ${alarm.message}`;
    }),
  ];
}

const inAlarm = ({ state }: Alarm): boolean => state === AlarmState.UNACKNOWLEDGED || state === AlarmState.ACKNOWLEDGED;

function stateOf(state: AlarmState): string {
  if (state === AlarmState.UNACKNOWLEDGED) return 'not acknowledged';
  return state === AlarmState.ACKNOWLEDGED ? 'acknowledged' : 'back to normal';
}

function footer({ meter, footer: addresses, stalled }: Frame): string[] {
  const { deadLettered, late, lost, duplicated } = meter;
  const came = meter.count(TOPICS.telemetry) + meter.count(TOPICS.production);
  const ledger = `in ${came}   late ${late}   dead letters ${deadLettered}   lost ${lost}   duplicated ${duplicated}`;
  return [
    ...stalled.map((each) => styled('red', each)),
    `${lost + duplicated > 0 ? styled('red', ledger) : ledger}   findings ${meter.count(TOPICS.quality)}   alarms ${meter.raised}`,
    styled('gray', ['Ctrl-C stops', ...addresses].join('   ')),
  ];
}

/** The first lines that fit; the last says how many more there are. */
function cut(lines: readonly string[], room: number): string[] {
  if (lines.length <= room) return [...lines];
  if (room <= 0) return [];
  return [...lines.slice(0, room - 1), styled('gray', `  +${lines.length - room + 1} more`)];
}

/** Cuts a styled line to a width, control sequences not counted. */
function fit(line: string, columns: number): string {
  if (stripVTControlCharacters(line).length <= columns) return line;
  let seen = 0;
  let result = '';
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|[^\u001b]/gu)) {
    if (part.startsWith('\u001b')) result += part;
    else if (seen < columns - 1) {
      result += part;
      seen++;
    } else if (seen === columns - 1) {
      result += '…';
      seen++;
    }
  }
  return result;
}

const BAR = 8;
const bar = (share: number): string => '█'.repeat(Math.round(share * BAR)).padEnd(BAR, '░');

const milliseconds = (ms: number | null): string => (ms === null ? '–' : ms < 10 ? String(ms) : ms.toFixed(0));

function amount(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return value >= 1e4 ? `${Math.round(value / 1e3)} k` : value.toFixed(value < 10 ? 1 : 0);
}

function duration(seconds: number): string {
  const s = Math.floor(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
