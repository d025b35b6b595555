// npm run test:training: trains every net on synthetic data and asks what came of it.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment, TrainingEnvironmentError } from './environment.mjs';

try {
  const python = await pythonEnvironment();
  const env = { ...process.env, MILLWRIGHT_NODE: process.execPath };
  process.exitCode = spawnSync(python, ['-m', 'pytest', ...process.argv.slice(2)], { cwd: dirname(fileURLToPath(import.meta.url)), stdio: 'inherit', env }).status ?? 1;
} catch (error) {
  if (!(error instanceof TrainingEnvironmentError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
