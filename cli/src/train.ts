import { join } from 'node:path';
import type { Plant } from '@millwright/plant';
import { trainSimulatedDiagnosis } from './training/simulated.js';
import type { Metrics } from './training/tennessee-eastman.js';

export { trainDiagnosis, type DiagnosisRequest, type Metrics } from './training/tennessee-eastman.js';

/** Models of the demo plant: package, asset kind, and the faults that its simulated machine knows. */
const DEMO_MODELS = [
  { name: 'rotating-diagnosis', kind: 'pump', faults: ['outer_race', 'inner_race', 'ball', 'unbalance', 'misalignment'] },
  { name: 'process-diagnosis', kind: 'tank', faults: ['sensor_drift', 'valve_stiction', 'fouling', 'leak'] },
] as const;

export interface DemoRequest {
  /** The demo plant. */
  readonly plant: Plant;
  /** Folder of the packages; each gets a folder of its name in it. */
  readonly out: string;
  readonly seed: number;
}

/** Trains the models of the demo plant on simulated machines. Returns the figures by package. */
export async function trainDemo({ plant, out, seed }: DemoRequest): Promise<Readonly<Record<string, Metrics>>> {
  const figures: Record<string, Metrics> = {};
  for (const { name, kind, faults } of DEMO_MODELS) {
    figures[name] = await trainSimulatedDiagnosis({ plant, kind, faults, name, out: join(out, name), seed });
  }
  return figures;
}
