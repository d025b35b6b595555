import type { Comparison, Compared } from './comparison.js';

/** Heading and what stands under it; empty where a model has none. */
type Column = readonly [heading: string, of: (model: Compared) => string];

const share = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(3));
const figure = (value: number): string => (Number.isNaN(value) ? '' : value.toPrecision(4));
const whole = (value: number): string => Math.round(value).toLocaleString('en');

function figureColumns(task: Comparison['task'], unit: string): Column[] {
  const diagnosis = (of: (figures: Extract<Compared['figures'], { kind: 'diagnosis' }>) => string) => ({ figures }: Compared): string => (figures.kind === 'diagnosis' ? of(figures) : '');
  const regression = (of: (figures: Extract<Compared['figures'], { kind: 'regression' }>) => string) => ({ figures }: Compared): string => (figures.kind === 'regression' ? of(figures) : '');
  const anomaly = (of: (figures: Extract<Compared['figures'], { kind: 'anomaly' }>) => string) => ({ figures }: Compared): string => (figures.kind === 'anomaly' ? of(figures) : '');
  const detection: Column[] = [
    ['found', ({ figures }) => (figures.kind === 'regression' || figures.detection.faults === 0 ? '' : `${figures.detection.found} of ${figures.detection.faults}`)],
    ['delay, windows', ({ figures }) => (figures.kind === 'regression' || figures.detection.found === 0 ? '' : String(figures.detection.medianDelay))],
    ['false alarms', ({ figures }) => (figures.kind === 'regression' ? '' : share(figures.detection.falseAlarms))],
  ];
  switch (task) {
    case 'diagnosis':
      return [['accuracy', diagnosis(({ accuracy }) => share(accuracy))], ['macro F1', diagnosis(({ macroF1 }) => share(macroF1))], ['calibration error', diagnosis(({ calibrationError }) => share(calibrationError))], ['unknown', diagnosis(({ unknown }) => (unknown === undefined ? '' : share(unknown)))], ...detection];
    case 'anomaly':
      return [['AUC', anomaly(({ auc }) => share(auc))], ['F1', anomaly(({ f1 }) => share(f1))], ...detection];
    default: {
      const of = unit === '' ? '' : `, ${unit}`;
      return [[`RMSE${of}`, regression(({ rmse }) => figure(rmse))], [`MAE${of}`, regression(({ mae }) => figure(mae))], ['coverage of 90 %', regression(({ coverage }) => share(coverage))], [`width${of}`, regression(({ width }) => figure(width))]];
    }
  }
}

/** Columns of the comparison, for the terminal and the report. */
export function columnsOf({ task, unit }: Comparison): readonly Column[] {
  return [
    ['model', ({ model }) => model],
    ...figureColumns(task, unit),
    ['size, kB', ({ package: of }) => (of === undefined ? '' : whole(of.bytes / 1000))],
    ['windows/s', ({ package: of }) => (of === undefined ? '' : whole(of.windowsPerSecond))],
    ['training, s', ({ trained }) => (trained === undefined ? '' : trained.seconds.toFixed(1))],
    ['', ({ trained }) => trained?.note ?? 'baseline'],
  ];
}

/** A Markdown table. */
export function tableOf(comparison: Comparison): string {
  const columns = columnsOf(comparison);
  const rows = [columns.map(([heading]) => heading), ...comparison.models.map((model) => columns.map(([, of]) => of(model)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(rows[0]!) + line(widths.map((width) => '-'.repeat(width))) + rows.slice(1).map(line).join('');
}
