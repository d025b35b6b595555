import type { TelemetryBlock } from '@millwright/contracts';

/** Arrivals remembered per asset and signal group: more than any window is behind. */
const REMEMBERED = 1024;
/** Each bucket of the histogram is this much wider than the one before: quantiles are within 2 %. */
const GROWTH = Math.log(1.02);
const FLOOR_MS = 0.01;

interface Arrivals {
  /** Event time that the block reached, ascending, and wall-clock time of its arrival. */
  readonly endsUs: number[];
  readonly atMs: number[];
}

/** Latency from the arrival of the block that completes a window to a result for that window. Memory is bounded. */
export class LatencyMeter {
  readonly #arrivals = new Map<string, Map<string, Arrivals>>();
  readonly #buckets = new Map<number, number>();
  #count = 0;

  /** A block was handed in at `nowMs`. */
  arrived(block: TelemetryBlock, nowMs: number): void {
    const group = block.signals[0]?.signal;
    if (group === undefined) return;
    let groups = this.#arrivals.get(block.asset);
    if (groups === undefined) this.#arrivals.set(block.asset, (groups = new Map()));
    let arrivals = groups.get(group);
    if (arrivals === undefined) groups.set(group, (arrivals = { endsUs: [], atMs: [] }));
    const endUs = block.startUs + block.count * block.intervalUs;
    // A late block completes nothing that is not complete already.
    if (endUs <= (arrivals.endsUs.at(-1) ?? -Infinity)) return;
    arrivals.endsUs.push(endUs);
    arrivals.atMs.push(nowMs);
    if (arrivals.endsUs.length >= 2 * REMEMBERED) {
      arrivals.endsUs.splice(0, REMEMBERED);
      arrivals.atMs.splice(0, REMEMBERED);
    }
  }

  /** A result of `asset` for data up to `timeUs` appeared at `nowMs`. Results for data that is not remembered are not counted. */
  appeared(asset: string, timeUs: number, nowMs: number): void {
    let completedMs = -Infinity;
    for (const { endsUs, atMs } of this.#arrivals.get(asset)?.values() ?? []) {
      const index = firstAtLeast(endsUs, timeUs - 1);
      // Group without data that far (silent signals): it did not complete the window.
      if (index < endsUs.length && (index > 0 || endsUs.length < REMEMBERED)) completedMs = Math.max(completedMs, atMs[index]!);
    }
    if (completedMs === -Infinity) return;
    const bucket = Math.floor(Math.log(Math.max(FLOOR_MS, nowMs - completedMs)) / GROWTH);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
  }

  /** Milliseconds that a share q of results stayed under; null before the first result. */
  quantile(q: number): number | null {
    if (this.#count === 0) return null;
    let left = Math.ceil(q * this.#count);
    for (const bucket of [...this.#buckets.keys()].sort((a, b) => a - b)) {
      left -= this.#buckets.get(bucket)!;
      if (left <= 0) return Number(Math.exp((bucket + 1) * GROWTH).toPrecision(3));
    }
    return null;
  }
}

/** Index of the first value not below `least` in an ascending list. */
function firstAtLeast(values: readonly number[], least: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
