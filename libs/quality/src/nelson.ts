/** Points that the longest rule looks back over, the newest included. */
export const NELSON_MEMORY = 15;

type Rule = (z: readonly number[]) => boolean;

/**
 * The eight tests for special causes of Nelson (1984), Journal of Quality Technology 16(4), 237-239, by their numbers.
 * Each looks at points in units of the plotted statistic's sigma from the centre line, newest last, and says whether the
 * newest one completes the pattern. A point on a line is not beyond it; a point on the centre line is on neither side.
 */
const RULES: readonly Rule[] = [
  // 1: one point beyond zone A.
  (z) => Math.abs(z.at(-1)!) > 3,
  // 2: nine points in a row on one side of the centre.
  (z) => all(z, 9, (v) => v > 0) || all(z, 9, (v) => v < 0),
  // 3: six points in a row steadily rising or falling.
  (z) => steps(z, 6, (previous, next) => next > previous) || steps(z, 6, (previous, next) => next < previous),
  // 4: fourteen points in a row going up and down by turns.
  (z) => alternating(z, 14),
  // 5: two of three points in a row in zone A or beyond, on the same side.
  (z) => newestAmong(z, 2, 3, 2),
  // 6: four of five points in a row in zone B or beyond, on the same side.
  (z) => newestAmong(z, 4, 5, 1),
  // 7: fifteen points in a row in zone C, above or below the centre.
  (z) => all(z, 15, (v) => Math.abs(v) < 1),
  // 8: eight points in a row on both sides of the centre, none in zone C.
  (z) => all(z, 8, (v) => Math.abs(v) > 1) && z.slice(-8).some((v) => v > 0) && z.slice(-8).some((v) => v < 0),
];

/**
 * Appends a point to the memory of a chart, at most NELSON_MEMORY points, and says which rules it breaks.
 * @param memory earlier points in units of sigma from the centre line, oldest first; changed in place
 * @param z the new point in the same units
 * @param enabled numbers of the rules in force, 1 to 8
 * @returns numbers of the rules that the new point breaks, in the order of `enabled`
 */
export function addNelsonPoint(memory: number[], z: number, enabled: readonly number[]): number[] {
  if (memory.length === NELSON_MEMORY) memory.shift();
  memory.push(z);
  return enabled.filter((rule) => RULES[rule - 1]!(memory));
}

function all(z: readonly number[], count: number, holds: (v: number) => boolean): boolean {
  if (z.length < count) return false;
  for (let i = z.length - count; i < z.length; i++) if (!holds(z[i]!)) return false;
  return true;
}

function steps(z: readonly number[], count: number, holds: (previous: number, next: number) => boolean): boolean {
  if (z.length < count) return false;
  for (let i = z.length - count + 1; i < z.length; i++) if (!holds(z[i - 1]!, z[i]!)) return false;
  return true;
}

function alternating(z: readonly number[], count: number): boolean {
  if (z.length < count) return false;
  for (let i = z.length - count + 2; i < z.length; i++) {
    if ((z[i - 1]! - z[i - 2]!) * (z[i]! - z[i - 1]!) >= 0) return false;
  }
  return true;
}

/** Whether the newest point is one of `needed` among the last `count` beyond `limit` sigma on its side. */
function newestAmong(z: readonly number[], needed: number, count: number, limit: number): boolean {
  const side = Math.sign(z.at(-1)!);
  if (!(z.at(-1)! * side > limit)) return false;
  let beyond = 0;
  for (let i = Math.max(0, z.length - count); i < z.length; i++) if (z[i]! * side > limit) beyond++;
  return beyond >= needed;
}
