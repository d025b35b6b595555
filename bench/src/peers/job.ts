import { writeFileSync } from 'node:fs';
import type { Plant } from '@millwright/plant';
import { FeatureExtractor } from '@millwright/signal';

/** What a peer is to do. */
export interface PeerJob {
  readonly job: 'features' | 'spc';
  readonly brokers: readonly string[];
  /** Of its consumer group. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
  /** Where it may keep state. */
  readonly folder: string;
  readonly threads: number;
  readonly commitMs: number;
}

/** Writes the job file of a peer: the job, and those parts of the plant that it depends on. */
export function writeJob(path: string, job: PeerJob, plant: Plant): void {
  const kinds = [...plant.kinds.values()].map((kind) => [
    kind.name,
    {
      name: kind.name,
      lengthUs: kind.window.lengthUs,
      graceUs: kind.window.graceUs,
      layout: new FeatureExtractor(kind).layout,
      signals: kind.signals.map(({ name, rateHz, spectrum, envelope }) => ({
        name,
        rateHz,
        spectrum: spectrum && { bandsHz: spectrum.bandsHz, peaks: spectrum.peaks },
        envelope: envelope && { bandHz: envelope.bandHz, speedSignal: envelope.speedSignal, orders: Object.values(envelope.orders), harmonics: envelope.harmonics },
      })),
      charts: kind.charts.flatMap(({ name, type, source, subgroup, baseline, rules }) => ('characteristic' in source ? [{ name, type, characteristic: source.characteristic, subgroup, baseline, rules }] : [])),
    },
  ]);
  const assets = [...plant.assets.values()].map(({ id, kind }) => [id, kind.name]);
  writeFileSync(path, JSON.stringify({ ...job, brokers: job.brokers.join(','), kinds: Object.fromEntries(kinds), assets: Object.fromEntries(assets) }));
}
