import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TelemetryBlock } from '@millwright/contracts';
import { loadPlant, type AssetKind, type Plant } from '@millwright/plant';
import { createTrainingRun } from '@millwright/simulator';

const DEMO = fileURLToPath(new URL('../../plants/demo', import.meta.url));
const KIND = 'pump';
const PUMPS = 120;
/** Pumps whose data differ. */
const INDIVIDUALS = 8;
/** Windows of each that are remembered, healthy and with a defect. */
const WINDOWS = 8;
/** Windows at the beginning of a simulated run that are left out: the machine settles. */
const SETTLING = 8;

/** Writes a plant of many of the demo plant's pumps, whose alarms have no delays, with its models, into a folder. Returns the path of the plant file. */
export function writePumpPlant(folder: string): string {
  const kind = loadPlant(join(DEMO, 'plant.yaml')).kinds.get(KIND)!;
  const units = Object.fromEntries(Array.from({ length: PUMPS }, (_, i) => [`P-${String(i).padStart(3, '0')}`, { kind: KIND }]));
  const file = {
    name: 'pumps',
    enterprise: 'Millwright',
    sites: { Bench: { areas: { Hall: { lines: { Row: { units } } } } } },
    kinds: { [KIND]: withoutDelays(kind) },
  };
  const path = join(folder, 'plant.yaml');
  // JSON is YAML.
  writeFileSync(path, JSON.stringify(file, undefined, 2));
  cpSync(join(DEMO, 'models'), join(folder, 'models'), { recursive: true });
  return path;
}

/** A kind as a plant file has it. */
function withoutDelays({ window, models, signals, alarms }: AssetKind): object {
  const duration = (us: number): string => `${us}us`;
  return {
    window: { length: duration(window.lengthUs), hop: duration(window.hopUs), grace: duration(window.graceUs) },
    models,
    signals: Object.fromEntries(
      signals.map(({ name, unit, rateHz, min, max, spectrum, envelope }) => [
        name,
        {
          unit,
          rate: rateHz,
          range: [min, max],
          ...(spectrum && { spectrum: { bands: spectrum.bandsHz, peaks: spectrum.peaks } }),
          ...(envelope && { envelope: { band: envelope.bandHz, speed: envelope.speedSignal, orders: envelope.orders, harmonics: envelope.harmonics } }),
        },
      ]),
    ),
    alarms: { diagnosis: { priority: 'high', onAt: alarms.diagnosis.onAt, offBelow: alarms.diagnosis.offBelow, onDelay: '0s', offDelay: '0s' } },
  };
}

/** Data of the pumps: every window of a pump is in another state of health than the one before, so that each raises or clears an alarm. */
export class PumpData {
  readonly assets: readonly string[];
  readonly hopUs: number;
  readonly #lengthUs: number;
  readonly #source: string;
  /** By individual, then by window: the blocks of one hop. */
  readonly #healthy: readonly (readonly TelemetryBlock[])[][];
  readonly #faulty: readonly (readonly TelemetryBlock[])[][];

  /** @param plant see writePumpPlant */
  constructor(plant: Plant, source: string) {
    const demo = loadPlant(join(DEMO, 'plant.yaml'));
    const { window } = plant.kinds.get(KIND)!;
    this.assets = [...plant.assets.keys()];
    this.hopUs = window.hopUs;
    this.#lengthUs = window.lengthUs;
    this.#source = source;
    const windows = (seed: number, fault?: string): TelemetryBlock[][] => {
      const run = createTrainingRun(demo, KIND, { seed, ...(fault === undefined ? {} : { fault, severity: 0.9 }) });
      return Array.from({ length: SETTLING + WINDOWS }, () => [...run.step().blocks]).slice(SETTLING);
    };
    this.#healthy = Array.from({ length: INDIVIDUALS }, (_, seed) => windows(seed));
    this.#faulty = Array.from({ length: INDIVIDUALS }, (_, seed) => windows(seed, 'outer_race'));
  }

  /** The blocks that complete window `index` (from 0 on) of a pump; the window starts at `startUs`. */
  blocks(pump: number, index: number, startUs: number): TelemetryBlock[] {
    const windows = (index % 2 === 0 ? this.#faulty : this.#healthy)[pump % INDIVIDUALS]!;
    const blocks = windows[index % WINDOWS]!;
    return blocks.map((block, i) => ({ ...block, source: this.#source, asset: this.assets[pump]!, sequence: index * blocks.length + i + 1, startUs }));
  }

  /** End of the window that starts at `startUs`. */
  endUs(startUs: number): number {
    return startUs + this.#lengthUs;
  }
}
