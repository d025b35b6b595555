import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../home.js';

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly ended: Promise<Ended>;
  /** Resolves to what the pattern finds in standard error, as soon as it does. @throws Error when the command ends first */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
}

export interface Surroundings {
  /** MILLWRIGHT_HOME. */
  readonly home: string;
  /** Variables beside those of this process; undefined takes one away. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a compiled script of the checkout as a process of its own; `millwright` below is the command line. */
export function start(script: string, args: readonly string[], { home, env }: Surroundings): Running {
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    // Servers of the test run are for others: what a command needs it starts itself.
    env: { ...process.env, NODE_OPTIONS: undefined, KAFKA_BROKERS: undefined, REDIS_URL: undefined, MILLWRIGHT_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    ended,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(stderr);
          if (found !== null) resolve(found);
        };
        child.stderr.on('data', look);
        look();
        ended.then(({ code }) => reject(new Error(`ended with ${code} before ${pattern} was found in:\n${stderr}`)), reject);
      }),
    kill: (signal) => child.kill(signal),
  };
}

export const millwright = (args: readonly string[], surroundings: Surroundings): Running => start('cli/dist/main.js', args, surroundings);

/** The figures of a run: standard output has nothing but this one line. */
export function figures({ stdout }: Ended): Record<string, unknown> {
  const lines = stdout.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`standard output is not one line:\n${stdout}`);
  return JSON.parse(lines[0]!) as Record<string, unknown>;
}

/** A folder that is gone when `remove` has been called. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'millwright-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
