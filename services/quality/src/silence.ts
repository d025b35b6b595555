import { FindingKind, type Finding } from '@millwright/contracts';
import type { Asset } from '@millwright/plant';
import { finding } from './findings.js';
import type { QualityState } from './state.js';

/** What the newest window shows of signals that send nothing: one finding a window while it lasts, one when it ends. */
export function judgeSilence(asset: Asset, state: QualityState, silentSignals: readonly string[], timeUs: number, revision: number): Finding[] {
  const spoke = [...state.silent].filter((signal) => !silentSignals.includes(signal));
  state.silent.clear();
  for (const signal of silentSignals) state.silent.add(signal);
  const silence = (signal: string, active: boolean): Finding =>
    finding(asset, signal, {
      finding: FindingKind.SILENT_SIGNAL,
      timeUs,
      active,
      // Share of its samples that are missing, against all of them.
      value: active ? 1 : 0,
      center: 0,
      lowerLimit: 0,
      upperLimit: 1,
      description: active ? `${signal} sends nothing.` : `${signal} sends again.`,
      revision,
    });
  return [...silentSignals.map((signal) => silence(signal, true)), ...spoke.map((signal) => silence(signal, false))];
}
