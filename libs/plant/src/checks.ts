import { formatDuration } from './duration.js';
import type { AlarmRule, Asset, AssetKind, ReplaySpec, Signal, SimulationSpec } from './model.js';
import { suggestion } from './nearest.js';
import type { Path, Problems } from './problems.js';

/** What only shows when the parts of a kind are seen together. `named` are all signals in the file, unreadable ones too. */
export function checkKind(kind: AssetKind, named: readonly string[], path: Path, problems: Problems): void {
  const known = new Set(named);
  for (const signal of kind.signals) checkSignal(signal, kind, known, [...path, 'signals', signal.name], problems);
  for (const chart of kind.charts) {
    if (!('feature' in chart.source)) continue;
    const at = [...path, 'charts', chart.name, 'feature'];
    const [subject, feature] = chart.source.feature.split('.', 2);
    if (subject === undefined || feature === undefined || feature === '') {
      problems.add(at, `"${chart.source.feature}" is not a feature; write signal.feature, for example ${named[0] ?? 'temperature'}.mean`);
      continue;
    }
    for (const name of subject.split('~')) {
      if (!known.has(name)) problems.add(at, `there is no signal ${name} in kind ${kind.name}; ${suggestion(name, known)}`);
    }
  }
  for (const name of ['diagnosis', 'finding', 'silentSignal'] as const) checkRule(kind.alarms[name], [...path, 'alarms', name], problems);
}

function checkSignal(signal: Signal, kind: AssetKind, known: ReadonlySet<string>, path: Path, problems: Problems): void {
  const { lengthUs } = kind.window;
  const samples = signal.rateHz * (lengthUs / 1e6);
  if (samples < 1 - 1e-9) {
    problems.add(path, `a window of ${formatDuration(lengthUs)} holds no sample at ${formatRate(signal.rateHz)}; lengthen window.length to ${formatDuration(1e6 / signal.rateHz)} at least`);
  } else if ((signal.spectrum ?? signal.envelope) && samples < 16) {
    problems.add(path, `a window of ${formatDuration(lengthUs)} holds ${Math.floor(samples)} samples at ${formatRate(signal.rateHz)}; a spectrum needs 16, lengthen window.length`);
  }
  const nyquist = signal.rateHz / 2;
  const top = signal.spectrum?.bandsHz.at(-1);
  if (top !== undefined && top > nyquist) problems.add([...path, 'spectrum', 'bands'], overNyquist(top, signal));
  if (signal.envelope === undefined) return;
  const { bandHz, speedSignal, orders } = signal.envelope;
  if (bandHz[0] <= 0) problems.add([...path, 'envelope', 'band'], 'must begin above 0 Hz');
  if (bandHz[1] > nyquist) problems.add([...path, 'envelope', 'band'], overNyquist(bandHz[1], signal));
  if (!known.has(speedSignal)) problems.add([...path, 'envelope', 'speed'], `there is no signal ${speedSignal} in kind ${kind.name}; ${suggestion(speedSignal, known)}`);
  if (Object.keys(orders).length === 0) problems.add([...path, 'envelope', 'orders'], 'is empty; write at least one, for example { bpfo: 3.585 }');
}

function checkRule(rule: AlarmRule, path: Path, problems: Problems): void {
  if (rule.offBelow > rule.onAt) problems.add([...path, 'offBelow'], `${rule.offBelow} is above onAt ${rule.onAt}; the alarm would never stay on, write at most ${rule.onAt}`);
}

export function checkReplay(replay: ReplaySpec, assets: ReadonlyMap<string, Asset>, ids: ReadonlySet<string>, problems: Problems): void {
  if (!ids.has(replay.asset)) problems.add(['replay', 'asset'], `there is no asset ${replay.asset}; ${suggestion(replay.asset, ids)}`);
  const asset = assets.get(replay.asset);
  if (asset === undefined) return;
  const signals = new Set(asset.kind.signals.map(({ name }) => name));
  const seen = new Set<string>();
  replay.columns.forEach((column, i) => {
    if (!signals.has(column)) problems.add(['replay', 'columns', i], `there is no signal ${column} in kind ${asset.kind.name}; ${suggestion(column, signals)}`);
    if (seen.has(column)) problems.add(['replay', 'columns', i], `column ${column} is named twice; leave one out`);
    seen.add(column);
  });
}

export function checkSimulation(simulation: SimulationSpec, ids: ReadonlySet<string>, kinds: ReadonlySet<string>, problems: Problems): void {
  for (const kind of Object.keys(simulation.machines)) {
    if (!kinds.has(kind)) problems.add(['simulation', 'machines', kind], `there is no kind ${kind}; ${suggestion(kind, kinds)}`);
  }
  simulation.faults.forEach((fault, i) => {
    const path = ['simulation', 'faults', i];
    if (!ids.has(fault.asset)) problems.add([...path, 'asset'], `there is no asset ${fault.asset}; ${suggestion(fault.asset, ids)}`);
    const end = fault.afterUs + fault.durationUs;
    if (simulation.repeatEveryUs !== undefined && end > simulation.repeatEveryUs) {
      problems.add(path, `ends after ${formatDuration(end)}, when the schedule has begun again; make repeatEvery longer or the fault shorter`);
    }
  });
}

function overNyquist(frequency: number, signal: Signal): string {
  return `${frequency} Hz is above half the sampling rate (${signal.rateHz / 2} Hz); write at most that`;
}

function formatRate(rateHz: number): string {
  return rateHz >= 1 ? `${rateHz} Hz` : `one sample in ${formatDuration(1e6 / rateHz)}`;
}
