/**
 * Expected range of n standard normal values (d2), n = 2 to 25. E[W] = ∫ 1 - Φ(x)^n - (1 - Φ(x))^n dx
 * (Tippett 1925, Biometrika 17), integrated numerically to 12 digits.
 */
const D2 = [
  1.1283791671, 1.69256875064, 2.05875074601, 2.32592894728, 2.53441272122, 2.70435675121, 2.84720061209, 2.97002632442,
  3.07750546167, 3.17287270382, 3.25845527974, 3.3359803541, 3.4067631082, 3.47182688988, 3.53198278611, 3.58788396177,
  3.64006375794, 3.68896302321, 3.7349501196, 3.77833582984, 3.81938464336, 3.85832342329, 3.89534814845, 3.93062921951,
] as const;

/**
 * Standard deviation of the range of n standard normal values (d3), n = 2 to 25, from
 * P(W <= w) = n ∫ φ(x) (Φ(x + w) - Φ(x))^(n-1) dx, integrated numerically to 12 digits.
 */
const D3 = [
  0.852502466427, 0.888368004045, 0.879808202825, 0.864081941099, 0.848039686117, 0.833205335622, 0.819831489792, 0.807834274553,
  0.797050673519, 0.78731462055, 0.778478341203, 0.770416202064, 0.763023095625, 0.756211429728, 0.74990808941, 0.744051783961,
  0.738590853378, 0.733481495519, 0.728686345707, 0.724173340717, 0.719914808434, 0.715886735492, 0.712068175148, 0.708440765889,
] as const;

/** Largest subgroup that the range constants are tabulated for; above it the standard deviation is the better measure anyway. */
export const MAX_RANGE_SUBGROUP = 25;

/**
 * Expected range of `n` normal values over their standard deviation: sigma = mean range / d2.
 * @throws RangeError when n is not a whole number from 2 to 25.
 */
export function d2(n: number): number {
  return tabulated(D2, n);
}

/**
 * Standard deviation of the range of `n` normal values over their standard deviation.
 * @throws RangeError when n is not a whole number from 2 to 25.
 */
export function d3(n: number): number {
  return tabulated(D3, n);
}

/**
 * Expected sample standard deviation of `n` normal values over their standard deviation: sigma = mean s / c4.
 * c4(n) = sqrt(2 / (n - 1)) Γ(n / 2) / Γ((n - 1) / 2), here by c4(2) = sqrt(2 / π) and c4(n) c4(n + 1) = sqrt((n - 1) / n).
 * @throws RangeError when n is not a whole number of at least 2.
 */
export function c4(n: number): number {
  if (!Number.isInteger(n) || n < 2) throw new RangeError(`c4: a subgroup of ${n} has no standard deviation; use 2 or more values`);
  let value = Math.sqrt(2 / Math.PI);
  for (let m = 2; m < n; m++) value = Math.sqrt((m - 1) / m) / value;
  return value;
}

function tabulated(table: readonly number[], n: number): number {
  const value = table[n - 2];
  if (value === undefined) throw new RangeError(`range constants: a subgroup of ${n} is not among 2 to ${MAX_RANGE_SUBGROUP}; use an X-bar/S chart`);
  return value;
}
