import { InvalidArgumentError, type Command } from 'commander';

/** What `run` and `cluster` have in common. */
export interface RunOptions {
  readonly plant?: string;
  readonly replay?: string;
  readonly speed: number | 'max';
  /** Seconds of real time after which the run ends. */
  readonly for?: number;
  readonly json: boolean;
  readonly fresh: boolean;
}

/** Default speed: real time times this. */
const DEFAULT_SPEED = 5;

export function addRunOptions(command: Command): Command {
  return command
    .option('--plant <plant>', 'plant file, or the name of a shipped plant (default: the one whose signals the file has, or the simulated demo plant)')
    .option('--replay <file>', 'play a CSV, TSV, Parquet or plain-column file (also .gz) instead of the simulated plant')
    .option('--speed <speed>', 'real time times this, or max', parseSpeed, DEFAULT_SPEED)
    .option('--for <duration>', 'end after this long, for example 60s', parseDuration)
    .option('--json', 'end with one JSON line of figures', false)
    .option('--fresh', 'forget an earlier run of the simulated plant (a replay always starts afresh)', false);
}

function parseSpeed(text: string): number | 'max' {
  if (text === 'max') return 'max';
  const speed = Number(text.replace(/^x|x$/, ''));
  if (!(speed > 0)) throw new InvalidArgumentError('give a number above 0, for example 10, or max.');
  return speed;
}

/** A number of things, from 1 on. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('give a whole number from 1 on.');
  return Number(text);
}

/** Whole numbers from 1 on, separated by commas. */
export const wholeNumbers = (text: string): number[] => text.split(',').map(wholeNumber);

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, min: 60, m: 60, h: 3600 };

/** Seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|min|m|h)$/.exec(text);
  if (!match || Number(match[1]) === 0) throw new InvalidArgumentError('give a number with ms, s, min or h, for example 60s.');
  return Number(match[1]) * UNITS[match[2]!]!;
}
