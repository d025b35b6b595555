// Running commands, and telling what was seen, what failed and what could not be tried.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export class CommandError extends Error {}

/** Runs a command. Resolves to its standard output; rejects with the end of what it said. */
export function run(command, args, { input, env, cwd, timeoutMs = 600_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.once('error', (error) => reject(new CommandError(`${command} could not be started: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(`${command} ${args.slice(0, 6).join(' ')} … ended with ${signal ?? code}:\n${`${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n')}`));
    });
    // A command that has ended does not read the rest.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Path of a program on the PATH, or undefined. */
export function find(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      // A PATH may name the working directory, which has a folder helm.
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Keeps count of what was checked. */
export class Report {
  passed = 0;
  failed = 0;
  notRun = [];

  /** Runs a check unless something that it needs is missing, which is then said. Resolves to whether it passed. */
  async check(name, needs, action) {
    const missing = Object.entries(needs).filter(([, has]) => !has).map(([what]) => what);
    if (missing.length > 0) {
      this.notRun.push(name);
      console.log(`not run: ${name} (missing: ${missing.join('; ')})`);
      return undefined;
    }
    const began = performance.now();
    try {
      const said = await action();
      this.passed++;
      console.log(`ok: ${name}${said ? ` — ${said}` : ''} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
      return true;
    } catch (error) {
      this.failed++;
      console.log(`FAILED: ${name}\n${error instanceof CommandError ? error.message : error.stack}`);
      return false;
    }
  }
}
