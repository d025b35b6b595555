import { areaUnderCurve, fitRidge, matrixOf, predictLinear, rowsBetween } from '@millwright/learning';
import type { Benchmark } from './figure.js';

/** Share of the wafers, the earliest, that is fitted on: of all 1567 the first 1097. */
const FITTED = 0.7;
/** Sensors that are used: those that tell failures best one by one. With a few dozen failures, more of them fit chance. */
const CHOSEN = 5;
/** Penalty in rows: about the number of wafers, so that no weight goes far on some dozen failures. */
const PENALTY = 1000;
/** Quartile distances beyond which a value says nothing more. */
const CLIP = 4;

/** Failures of semiconductor wafers (SECOM), by time: fitted on the earlier wafers, judged on the later ones. */
export const secom: Benchmark = {
  name: 'SECOM',
  folder: 'secom',
  figures: [{ name: 'secom_auc', goal: 0.65, better: 'higher', unit: 'AUC', published: 'balanced error 0.33 to 0.40 (10-fold); 0.95 is resampling leakage' }],
  async measure(data, note) {
    const wafers: { time: string; failed: boolean; sensors: Float64Array }[] = [];
    for (const file of data.named(/^secom.*\.csv$/)) {
      const table = await data.table(file, ',');
      const sensors = table.columns.filter((column) => column.startsWith('sensor_')).map((column) => table.numbers(column));
      const labels = table.numbers('label');
      table.texts('timestamp').forEach((time, row) => wafers.push({ time, failed: labels[row] === 1, sensors: Float64Array.from(sensors, (sensor) => sensor[row]!) }));
    }
    if (wafers.length === 0) return {};
    wafers.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    const cut = Math.round(FITTED * wafers.length);
    const failed = wafers.map((wafer) => wafer.failed);
    const past = wafers.slice(0, cut);
    const fails = failed.slice(0, cut).filter(Boolean).length;
    const scales = Array.from(past[0]!.sensors, (_, j) => robustScale(past.map(({ sensors }) => sensors[j]!), j));
    const told = scales.map((scale, j) => ({ j, by: Math.abs(areaUnderCurve(past.map(({ sensors }) => scale(sensors)), failed.slice(0, cut)) - 0.5) }));
    const chosen = told.sort((a, b) => b.by - a.by).slice(0, CHOSEN).map(({ j }) => scales[j]!);
    const inputs = matrixOf(wafers.map(({ sensors }) => chosen.map((scale) => scale(sensors))));
    // Failures count as much as all good wafers together.
    const weights = Float64Array.from(past, (wafer) => (wafer.failed ? cut / fails : cut / (cut - fails)));
    const model = fitRidge(rowsBetween(inputs, 0, cut), past.map((wafer) => (wafer.failed ? 1 : 0)), { penalty: PENALTY, weights });
    const later = failed.slice(cut);
    note(`fitted on ${cut} wafers with ${fails} failures, judged on ${later.length} later ones with ${later.filter(Boolean).length}`);
    return { secom_auc: [areaUnderCurve(predictLinear(model, rowsBetween(inputs, cut, inputs.rows)), later)] };
  },
};

/** Quartile distances from the median of the past, clipped; 0 for what is missing. */
function robustScale(past: readonly number[], sensor: number): (sensors: Float64Array) => number {
  const sorted = past.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.round(q * (sorted.length - 1))] ?? 0;
  const median = quantile(0.5);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const std = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length);
  const width = Math.max(quantile(0.75) - quantile(0.25), 0.3 * std);
  return (sensors) => {
    const value = (sensors[sensor]! - median) / width;
    return Number.isFinite(value) ? Math.max(-CLIP, Math.min(CLIP, value)) : 0;
  };
}
