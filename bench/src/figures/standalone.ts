import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TOPICS } from '@millwright/contracts';
import type { ProcessorStatus } from '@millwright/streams';
import { figure, type Figure, type Measurement } from '../figure.js';

const STARTS = 3;
/** How long the memory is watched; BENCH_MINUTES for a quick look. */
const MINUTES = Number(process.env['BENCH_MINUTES'] ?? 10);
const START_MS = 120_000;
const SAMPLE_MS = 1_000;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** `npm start` on this checkout, with a home of its own. */
class Start {
  readonly beganMs = performance.now();
  /** Resolves with the address that it prints. */
  readonly http: Promise<string>;
  readonly #home = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor() {
    this.#child = spawn(process.execPath, [join(ROOT, 'scripts', 'bootstrap.mjs'), 'start'], {
      cwd: ROOT,
      env: { ...process.env, MILLWRIGHT_HOME: this.#home, INIT_CWD: ROOT },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    const lines: string[] = [];
    this.http = new Promise((resolve, reject) => {
      createInterface(this.#child.stderr!).on('line', (line) => {
        lines.splice(0, lines.length - 20);
        lines.push(line);
        const [, address] = /^HTTP (\S+)/.exec(line) ?? [];
        if (address !== undefined) resolve(address);
      });
      void this.#ended.then(() => reject(new Error(`npm start ended by itself:\n${lines.join('\n')}`)));
    });
    // Told to whoever waits; nobody may be waiting.
    this.http.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Seconds from the command to the first diagnosis that alerting has taken. */
async function untilDiagnosis(start: Start): Promise<number> {
  const http = await start.http;
  while (performance.now() - start.beganMs < START_MS) {
    const statuses = (await (await fetch(`http://${http}/status`)).json()) as readonly ProcessorStatus[];
    const diagnoses = statuses.flatMap(({ ledger }) => ledger).filter(({ topic }) => topic === TOPICS.inferences.name);
    if (diagnoses.some(({ processed }) => processed > 0)) return (performance.now() - start.beganMs) / 1000;
    await delay(20);
  }
  throw new Error(`npm start gave no diagnosis within ${START_MS / 1000} s`);
}

/** Resident memory of the process, MB, by its own metrics. */
async function memory(http: string): Promise<number> {
  const metrics = await (await fetch(`http://${http}/metrics`)).text();
  const [, bytes] = /^process_memory_usage\S* ([\d.e+]+)/m.exec(metrics) ?? [];
  if (bytes === undefined) throw new Error('the metrics of npm start have no process_memory_usage');
  return Number(bytes) / 1e6;
}

/** Memory second by second. */
async function watchMemory(http: string, progress: (line: string) => void): Promise<number[]> {
  const samples: number[] = [];
  const began = performance.now();
  while (samples.length < (MINUTES * 60_000) / SAMPLE_MS) {
    samples.push(await memory(http));
    if (samples.length % (60_000 / SAMPLE_MS) === 0) progress(`minute ${(samples.length * SAMPLE_MS) / 60_000}: ${samples.at(-1)!.toFixed(0)} MB`);
    await delay(Math.max(0, began + samples.length * SAMPLE_MS - performance.now()));
  }
  return samples;
}

export const standaloneMeasurement: Measurement = {
  figures: ['start_to_diagnosis_s', 'standalone_rss_mb'],
  what: `npm start: time to the first diagnosis, and memory after ${MINUTES} minutes`,
  async measure(progress) {
    const seconds: number[] = [];
    for (let round = 1; ; round++) {
      const start = new Start();
      try {
        seconds.push(await untilDiagnosis(start));
        progress(`first diagnosis after ${seconds.at(-1)!.toFixed(2)} s`);
        if (round < STARTS) continue;
        const samples = await watchMemory(await start.http, progress);
        return [figure('start_to_diagnosis_s', seconds, 10, 'lower', 's'), memoryFigure(samples, progress)];
      } finally {
        await start.stop();
      }
    }
  },
};

/** The most of the last minute; tells how much it grew since the second one. */
function memoryFigure(samples: readonly number[], progress: (line: string) => void): Figure {
  const minute = 60_000 / SAMPLE_MS;
  const last = samples.slice(-minute);
  const second = samples.slice(minute, 2 * minute);
  const most = Math.max(...last);
  if (MINUTES > 2) progress(`memory grew by ${(most - Math.max(...second)).toFixed(0)} MB between minute 2 and minute ${MINUTES}`);
  return { ...figure('standalone_rss_mb', last, 400, 'lower', 'MB'), value: Math.round(most) };
}
