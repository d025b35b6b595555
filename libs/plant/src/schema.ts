import { z } from 'zod';
import { DURATION_HINT, parseDuration } from './duration.js';
import { suggestion } from './nearest.js';

/** An object without unknown keys; the message has one line per unknown key, each with the nearest known one. */
function keys<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? issue.keys.map((key) => `unknown key; ${suggestion(key, Object.keys(shape))}`).join('\n') : undefined,
  });
}

/** A value read from `hint`'s notation: `read` gives undefined for what is not one. */
function notation<T>(what: string, hint: string, read: (value: unknown) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    const result = read(value);
    if (result !== undefined) return result;
    const wrong = value === undefined ? 'is missing' : `${JSON.stringify(value)} is not ${what}`;
    context.addIssue({ code: 'custom', message: `${wrong}; ${hint}` });
    return z.NEVER;
  });
}

const duration = notation('a duration', DURATION_HINT, (value) => (typeof value === 'string' ? parseDuration(value) : undefined));
const positiveDuration = duration.refine((us) => us > 0, { error: 'is no time at all; write a duration above zero', abort: true });

const instant = notation('a date and time', 'write ISO 8601 with a zone, for example "2026-01-05T06:00:00Z"', (value) => {
  const text = value instanceof Date ? value.toISOString() : value;
  if (typeof text !== 'string' || !/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms * 1000;
});

const pair = (what: string, example: string) =>
  notation(what, `write two numbers, the lower first, for example ${example}`, (value): readonly [number, number] | undefined => {
    if (!Array.isArray(value) || value.length !== 2) return undefined;
    const [low, high] = value as unknown[];
    return typeof low === 'number' && typeof high === 'number' && low < high ? [low, high] : undefined;
  });

const ascending = notation('a list of band edges', 'write at least two ascending numbers from 0 on, in Hz, for example [10, 200, 1000]', (value) => {
  if (!Array.isArray(value) || value.length < 2) return undefined;
  const edges = value as unknown[];
  const good = edges.every((edge, i) => typeof edge === 'number' && edge >= 0 && (i === 0 || edge > (edges[i - 1] as number)));
  return good ? (edges as number[]) : undefined;
});

const fraction = z.number().min(0).max(1);
const count = z.int().min(1);
const text = z.string().min(1);
const priority = z.enum(['low', 'medium', 'high', 'urgent']);

const spectrum = keys({ bands: ascending, peaks: z.int().min(0).default(3) });

const envelope = keys({
  band: pair('a frequency band', '[2000, 4000]'),
  speed: text,
  orders: z.record(z.string().regex(/^[a-z][a-z0-9]*$/), z.number().positive()),
  harmonics: count.default(3),
});

export const signalSchema = keys({
  unit: z.string(),
  description: text.optional(),
  rate: z.number().positive().optional(),
  every: positiveDuration.optional(),
  range: pair('a range', '[0, 100]'),
  nan: z.enum(['missing', 'reject']).default('missing'),
  spectrum: spectrum.optional(),
  envelope: envelope.optional(),
});

export const chartSchema = keys({
  type: z.enum(['xbar-r', 'xbar-s', 'i-mr']),
  feature: text.optional(),
  characteristic: text.optional(),
  subgroup: count.optional(),
  baseline: z.int().min(2).default(25),
  rules: z.array(z.int().min(1).max(8)).default([1, 2, 3, 4]),
  spec: keys({
    lower: z.number().optional(),
    target: z.number().optional(),
    upper: z.number().optional(),
    minimumCpk: z.number().positive().optional(),
  }).optional(),
});

const alarmRule = keys({
  priority: priority.optional(),
  onAt: z.number().positive().optional(),
  offBelow: z.number().positive().optional(),
  onDelay: duration.optional(),
  offDelay: duration.optional(),
});

export const kindSchema = keys({
  description: text.optional(),
  window: keys({ length: positiveDuration, hop: positiveDuration, grace: duration.optional() }),
  models: z.array(text).default([]),
  monitor: keys({ baseline: text }).optional(),
  alarms: keys({
    diagnosis: alarmRule.optional(),
    finding: alarmRule.optional(),
    silentSignal: alarmRule.optional(),
    faultPriority: z.record(z.string(), priority).optional(),
  }).optional(),
  // Looked into one by one, so that a mistake in one does not hide those in others.
  signals: z.unknown().optional(),
  charts: z.unknown().optional(),
});

export const unitSchema = keys({ kind: text, description: z.string().default('') });

export const replaySchema = keys({
  asset: text,
  columns: z.array(text).optional(),
  start: instant.optional(),
  interval: positiveDuration.optional(),
  timeColumn: text.optional(),
  assetColumn: text.optional(),
  ignoredColumns: z.array(text).optional(),
});

export const simulationSchema = keys({
  seed: z.int().min(0).max(0xffffffff).default(1),
  start: instant,
  machines: z.record(z.string(), text),
  repeatEvery: positiveDuration.optional(),
  faults: z.unknown().optional(),
});

export const faultSchema = keys({
  asset: text,
  fault: text,
  after: duration,
  lasts: positiveDuration,
  severity: fraction.gt(0).default(1),
  growth: duration.default(0),
});

/** What stands at the top of a plant file. The large parts are looked into one by one. */
export const plantSchema = keys({
  name: text,
  enterprise: text,
  sites: z.unknown(),
  kinds: z.unknown(),
  replay: z.unknown().optional(),
  simulation: z.unknown().optional(),
});

export const siteSchema = keys({ areas: z.unknown() });
export const areaSchema = keys({ lines: z.unknown() });
export const lineSchema = keys({ units: z.unknown() });

export type SignalEntry = z.output<typeof signalSchema>;
export type ChartEntry = z.output<typeof chartSchema>;
export type KindEntry = z.output<typeof kindSchema>;
export type AlarmRuleEntry = z.output<typeof alarmRule>;

/** What zod found, as a sentence about the value. */
export function sentence(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom') return issue.message;
  if (issue.code === 'invalid_type') {
    const wanted = TYPES[issue.expected] ?? issue.expected;
    return issue.input === undefined ? `is missing; write ${wanted}` : `${JSON.stringify(issue.input)} is not right here; write ${wanted}`;
  }
  if (issue.code === 'invalid_value') {
    const known = issue.values.map(String);
    const near = typeof issue.input === 'string' ? suggestion(issue.input, known) : `known are ${known.join(', ')}`;
    return issue.input === undefined ? `is missing; write one of ${known.join(', ')}` : `${JSON.stringify(issue.input)} is not known; ${near}`;
  }
  if (issue.code === 'too_small') {
    if (issue.origin === 'string') return 'is empty; write a text';
    return `${JSON.stringify(issue.input)} is too small; write ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
  }
  if (issue.code === 'too_big') return `${JSON.stringify(issue.input)} is too large; write ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
  if (issue.code === 'invalid_key') return 'is not a good name; write lower case letters and digits, starting with a letter';
  return issue.message;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
};
