import { InferenceScheduler, loadPackage, startEngine, type ModelPackage } from '@millwright/models';
import { loadPlant } from '@millwright/plant';
import { modelsDirectory } from '@millwright/service-inference';
import { readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { plantPath } from './home.js';
import { standardErrorLogger } from './standard-error-logger.js';
import { UsageError } from './usage-error.js';

export interface BenchOptions {
  readonly plant: string;
  /** Windows a request. */
  readonly batch: readonly number[];
  /** Seconds that each measurement takes. */
  readonly for: number;
  readonly workers?: number;
  readonly json: boolean;
}

/** How one package does at one batch size. */
interface Pace {
  readonly model: string;
  readonly version: string;
  readonly engine: string;
  readonly device: string;
  readonly workers: number;
  readonly batch: number;
  readonly windowsPerSecond: number;
  /** Milliseconds from request to answer, median. */
  readonly medianMs: number;
}

const COLUMNS = ['model', 'version', 'engine', 'device', 'workers', 'batch', 'windows/s', 'median ms'];

/** `millwright models bench`: how many windows a second each package of a plant takes on this machine, by windows a request. */
export async function benchModels({ plant, batch, for: seconds, workers, json }: BenchOptions): Promise<number> {
  const directory = modelsDirectory(loadPlant(plantPath(plant)));
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => existsSync(join(directory, name, 'manifest.json'))) : [];
  if (names.length === 0) throw new UsageError(`There is no model in ${directory}: train one with millwright train, or name another plant.`);
  const packages = await Promise.all(names.map((name) => loadPackage(join(directory, name))));
  const engine = await startEngine({ packages, logger: standardErrorLogger('models'), ...(workers === undefined ? {} : { workers }) });
  try {
    const rows: string[][] = [];
    for (const model of packages) {
      for (const count of batch) {
        const inFlight = 2 * engine.workers;
        const measured = await pace(new InferenceScheduler(engine), model, count, inFlight, seconds);
        const { manifest } = model;
        const told: Pace = { model: manifest.name, version: manifest.version, engine: engine.name, device: engine.device, workers: engine.workers, batch: count, ...measured };
        if (json) process.stdout.write(`${JSON.stringify(told)}\n`);
        else rows.push([told.model, told.version, told.engine, told.device, String(told.workers), String(count), String(Math.round(told.windowsPerSecond)), told.medianMs.toFixed(2)]);
      }
    }
    if (!json) process.stdout.write(table([COLUMNS, ...rows]));
    return 0;
  } finally {
    await engine.close();
  }
}

/** Requests of `count` windows, so many in flight at a time, for the given time; a tenth of it before is not counted. */
async function pace(scheduler: InferenceScheduler, model: ModelPackage, count: number, inFlight: number, seconds: number): Promise<Pick<Pace, 'windowsPerSecond' | 'medianMs'>> {
  const { mean, std } = model.manifest.preprocessing;
  const input = Float32Array.from({ length: count * model.width }, (_, i) => mean[i % mean.length]! + std[i % std.length]! * Math.sin(i));
  const run = async (forMs: number): Promise<number[]> => {
    const latencies: number[] = [];
    const until = performance.now() + forMs;
    const caller = async (): Promise<void> => {
      for (let began = performance.now(); began < until; began = performance.now()) {
        await scheduler.submit(model, input, { priority: 'analytics', whenFull: 'wait' });
        latencies.push(performance.now() - began);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    return latencies;
  };
  await run(100 * seconds);
  const began = performance.now();
  const latencies = await run(1000 * seconds);
  const windowsPerSecond = (latencies.length * count) / ((performance.now() - began) / 1000);
  return { windowsPerSecond, medianMs: latencies.sort((a, b) => a - b)[Math.floor(latencies.length / 2)]! };
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `${row.map((cell, column) => (column < 4 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')}\n`).join('');
}
