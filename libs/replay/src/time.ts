import { Instant, type Cell } from './table.js';

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * A time cell in microseconds since the epoch; undefined where it is none. ISO 8601 (T or a blank between date and time; UTC where
 * no zone is given), or a number since 1970 whose size tells its unit: below 1e11 seconds, below 1e14 milliseconds,
 * below 1e17 microseconds, else nanoseconds.
 */
export function parseTime(cell: Cell): number | undefined {
  if (cell instanceof Instant) return cell.us;
  if (typeof cell === 'bigint') return fromNumber(Number(cell));
  if (typeof cell === 'number') return fromNumber(cell);
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  const iso = ISO.exec(text);
  if (iso === null) return text === '' ? undefined : fromNumber(Number(text));
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = iso;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  // Date.UTC carries 31 February over into March: what does not come back the same was no date.
  if (new Date(ms).getUTCDate() !== Number(day) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  return ms * 1000 + Math.round(Number(`0.${fraction || '0'}`) * 1e6) - offsetUs(zone);
}

function offsetUs(zone: string): number {
  if (/^z$/i.test(zone)) return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith('-') ? -minutes : minutes) * 60e6;
}

function fromNumber(value: number): number | undefined {
  if (!Number.isFinite(value)) return undefined;
  const size = Math.abs(value);
  if (size < 1e11) return Math.round(value * 1e6);
  if (size < 1e14) return Math.round(value * 1e3);
  return Math.round(size < 1e17 ? value : value / 1e3);
}
