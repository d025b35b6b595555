import type { Micros } from './model.js';

const MICROS_PER_UNIT: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, min: 60e6, h: 3600e6, d: 86_400e6 };

/** How a duration is written, for messages. */
export const DURATION_HINT = 'write a number with us, ms, s, min, h or d, for example "1s"';

/** "200ms", "1.5 s" or "3min" in whole microseconds; undefined where the text is no duration. */
export function parseDuration(text: string): Micros | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?(us|ms|s|min|h|d)$/.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return Math.round(Number(number) * MICROS_PER_UNIT[unit]!);
}

/** A duration as a person would write it, for messages: 200000 is "200ms". */
export function formatDuration(us: Micros): string {
  for (const unit of ['d', 'h', 'min', 's', 'ms'] as const) {
    const size = MICROS_PER_UNIT[unit]!;
    if (us >= size) return `${Number((us / size).toPrecision(6))}${unit}`;
  }
  return `${us}us`;
}
