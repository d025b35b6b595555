import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceStep } from '@millwright/contracts';
import { loadPlant } from '@millwright/plant';
import { createSimulator } from '@millwright/simulator';
import { parse } from 'yaml';
import { demoFolder } from './demo.js';

/** Who sends the input. */
const SOURCE = 'proof';

/** Event time that the input is longer than its data: time enough for all delays to run out, and for a stopped writer of event time to be given up. */
const EPILOGUE_US = 120e6;

/** Seconds of event time that are sent at once: a sender waits for the production records of each step, which is not what is to be measured. */
export const STEP_S = 4;

/** Long ago, since ingestion takes nothing that is ahead of the clock, and always the same, so that the same seed gives the same data. */
const START = '2026-01-05T06:00:00Z';

/** Faults of one after the other asset, again every ten minutes, so that short runs have diagnoses, findings and alarms too. */
const FAULTS = [
  ['P-102', 'outer_race', '10s', '40s', 0.8, '5s'],
  ['T-203', 'valve_stiction', '30s', '120s', 0.8, '0s'],
  ['P-104', 'unbalance', '60s', '60s', 0.8, '5s'],
  ['P-105', 'inner_race', '90s', '60s', 0.8, '10s'],
  ['P-101', 'ball', '120s', '60s', 0.8, '10s'],
  ['T-201', 'fouling', '150s', '200s', 0.9, '30s'],
  ['T-204', 'leak', '200s', '120s', 0.8, '10s'],
  ['S-302', 'tool_wear', '260s', '150s', 0.9, '30s'],
  ['T-202', 'sensor_drift', '300s', '150s', 0.9, '60s'],
  ['P-103', 'misalignment', '350s', '60s', 0.8, '10s'],
  ['S-303', 'loose_fixture', '420s', '120s', 0.9, '0s'],
] as const;

/** Input that is the same whenever it is played: telemetry and production data of a plant, STEP_S of event time a step. */
export interface RecordedInput {
  /** Path of the plant file, with models and baselines beside it. */
  readonly plantPath: string;
  readonly source: string;
  /** The first `count` steps, made as they are asked for. */
  steps(count: number): Generator<SourceStep, void, undefined>;
  /** Event time that they end at, microseconds. */
  endUs(count: number): number;
  /** What comes after them: no data, and time enough for all that waits for time. */
  epilogue(count: number): SourceStep;
}

/**
 * Input of a quickened demo plant: its stations make a unit every two seconds and its machines fail within ten minutes,
 * so that charts get their limits and alarms are raised and cleared in little time.
 * @param folder where the plant file goes
 * @param seed decides on all that is measured
 */
export function recordedInput(folder: string, seed: number): RecordedInput {
  mkdirSync(folder, { recursive: true });
  const plantPath = join(folder, 'plant.yaml');
  for (const name of ['models', 'baselines']) cpSync(join(demoFolder, name), join(folder, name), { recursive: true });
  // JSON is YAML.
  writeFileSync(plantPath, JSON.stringify(quickened(parse(readFileSync(join(demoFolder, 'plant.yaml'), 'utf8')) as PlantFile, seed), undefined, 2));
  const plant = loadPlant(plantPath);
  const endUs = (count: number): number => Date.parse(START) * 1000 + count * STEP_S * 1_000_000;
  return {
    plantPath,
    source: SOURCE,
    *steps(count) {
      const simulator = createSimulator(plant, SOURCE);
      for (let i = 0; i < count; i++) {
        const seconds = Array.from({ length: STEP_S }, () => simulator.step());
        yield { blocks: seconds.flatMap(({ blocks }) => blocks), production: seconds.flatMap(({ production }) => production), advanceToUs: seconds.at(-1)!.advanceToUs };
      }
    },
    endUs,
    epilogue: (count) => ({ blocks: [], production: [], advanceToUs: endUs(count) + EPILOGUE_US }),
  };
}

/** What is changed of a plant file, as the file has it. */
interface PlantFile {
  readonly kinds: { readonly press: { readonly alarms: object } };
  readonly simulation: object;
}

function quickened(file: PlantFile, seed: number): object {
  const { press } = file.kinds;
  const finding = { priority: 'medium', onAt: 1, offBelow: 0.9, onDelay: '10s', offDelay: '20s' };
  return {
    ...file,
    name: 'proof',
    kinds: { ...file.kinds, press: { ...press, window: { length: '2s', hop: '2s', grace: '4s' }, alarms: { ...press.alarms, finding } } },
    simulation: {
      ...file.simulation,
      seed,
      start: START,
      repeatEvery: '10min',
      faults: FAULTS.map(([asset, fault, after, lasts, severity, growth]) => ({ asset, fault, after, lasts, severity, growth })),
    },
  };
}
