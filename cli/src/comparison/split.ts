import { Random } from '@millwright/learning';
import { UsageError } from '../usage-error.js';
import type { LabelledRuns, Run, SplitKind } from './runs.js';

export const PARTS = ['train', 'validation', 'test'] as const;
/** Index of a part, as datasets hold it. */
export type Part = 0 | 1 | 2;

/** Shares of what is divided; where the data has a test part of its own, test is left out of them. */
const SHARES = { train: 0.6, validation: 0.2, test: 0.2 };

/** Part of each step of each run. Steps of one part lie together in a run, so windows within a part share no step with another's. */
export function partsOf({ runs, labels }: Pick<LabelledRuns, 'runs' | 'labels'>, how: SplitKind, seed: number): Uint8Array[] {
  const hasTest = runs.some(({ part }) => part === 'test');
  const hasValidation = runs.some(({ part }) => part === 'validation');
  const given = runs.map(({ part, steps }) => (part === 'test' ? filled(steps, 2) : part === 'validation' ? filled(steps, 1) : hasValidation && part === 'train' ? filled(steps, 0) : undefined));
  const open = [...runs.keys()].filter((index) => given[index] === undefined);
  const total = SHARES.train + SHARES.validation + (hasTest ? 0 : SHARES.test);
  const bounds = [SHARES.train / total, (SHARES.train + SHARES.validation) / total] as const;
  const partOf = (share: number): Part => (share < bounds[0] ? 0 : share < bounds[1] || hasTest ? 1 : 2);
  if (how === 'time') return runs.map(({ steps }, index) => given[index] ?? Uint8Array.from({ length: steps }, (_, step) => partOf(step / steps)));
  const unitOf = (run: Run): string => (how === 'run' ? run.name : run.asset);
  // Each label is spread over all parts: a run counts for its last label, which is its fault where it has one.
  const strata = new Map<string, Set<string>>();
  for (const index of open) {
    const label = labelOf(runs[index]!, labels);
    strata.set(label, (strata.get(label) ?? new Set()).add(unitOf(runs[index]!)));
  }
  const random = new Random(seed);
  const parts = new Map<string, Part>();
  const least = hasTest ? 2 : 3;
  for (const [label, units] of strata) {
    if (units.size < least) throw new UsageError(`${label === '' ? 'The data' : `Label ${label}`} has ${units.size} ${how}${units.size === 1 ? '' : 's'}, too few for a split by ${how}: add data of ${least - units.size} more, or divide each run with --split time.`);
    const order = Int32Array.from({ length: units.size }, (_, i) => i);
    random.shuffle(order);
    const names = [...units];
    // Rounded so that each part has one at least.
    const held = Math.max(1, Math.round(units.size * (1 - bounds[0])) >> (hasTest ? 0 : 1));
    order.forEach((unit, place) => {
      if (!parts.has(names[unit]!)) parts.set(names[unit]!, place < held ? 1 : !hasTest && place < 2 * held ? 2 : 0);
    });
  }
  return runs.map((run, index) => given[index] ?? filled(run.steps, parts.get(unitOf(run))!));
}

const filled = (steps: number, part: Part): Uint8Array => new Uint8Array(steps).fill(part);

function labelOf({ truths }: Run, labels: readonly string[]): string {
  if (labels.length === 0) return '';
  const faulty = truths.findLast((truth) => truth > 0);
  return labels[faulty ?? 0]!;
}
