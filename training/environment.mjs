// The Python that training runs in: a virtual environment in training/.environment with exactly what requirements.txt names. Plain Node.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const windows = process.platform === 'win32';
const LEAST_PYTHON = [3, 10];
/** PyTorch's usual wheel brings CUDA along. */
const GIGABYTES = 8;

/** Thrown where training can't run on this machine. The message is one sentence that says what to do. */
export class TrainingEnvironmentError extends Error {
  name = 'TrainingEnvironmentError';
  badInput = true;
}

/**
 * Path of the interpreter: the one that MILLWRIGHT_PYTHON names, whose packages are then its owner's affair, or else that of the
 * environment, which is made on first use and again when requirements.txt has changed. Progress goes to standard error.
 * Put the folder `training` on PYTHONPATH to run `-m millwright_training`.
 * @throws TrainingEnvironmentError
 */
export async function pythonEnvironment() {
  const own = process.env.MILLWRIGHT_PYTHON;
  if (own) {
    if (isNewEnough(own)) return own;
    throw new TrainingEnvironmentError(`MILLWRIGHT_PYTHON names ${own}, which is no Python ${LEAST_PYTHON.join('.')} or newer: correct it or unset it.`);
  }
  const environment = join(folder, '.environment');
  const interpreter = windows ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python');
  const stamp = join(environment, '.requirements');
  const requirements = join(folder, 'requirements.txt');
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && isNewEnough(interpreter)) return interpreter;
  const python = systemPython();
  const free = statfsSync(folder);
  if (free.bavail * free.bsize < GIGABYTES * 1e9) {
    throw new TrainingEnvironmentError(`${folder} has ${((free.bavail * free.bsize) / 1e9).toFixed(1)} GB left and training's environment takes up to ${GIGABYTES} GB: make room there.`);
  }
  console.error(`Making training's environment in ${environment} (once; some minutes, up to ${GIGABYTES} GB) ...`);
  rmSync(environment, { recursive: true, force: true });
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary', ':all:', '-r', requirements];
  if (!succeeds(python, ['-m', 'venv', environment])) {
    throw new TrainingEnvironmentError(`${python} could not make a virtual environment (see above): install its venv module, on Debian and Ubuntu the package python3-venv.`);
  }
  if (!succeeds(interpreter, install)) {
    throw new TrainingEnvironmentError('pip could not install training/requirements.txt (see above): when the network was away, run the same command again; behind a mirror, configure pip for it.');
  }
  writeFileSync(stamp, wanted);
  return interpreter;
}

function systemPython() {
  const found = ['python3', 'python'].find(isNewEnough);
  if (found !== undefined) return found;
  throw new TrainingEnvironmentError(`Training nets needs Python ${LEAST_PYTHON.join('.')} or newer, and there is none as python3 or python: install it, or name one with training's requirements in MILLWRIGHT_PYTHON.`);
}

function isNewEnough(python) {
  const [major, minor] = versionOf(python) ?? [0, 0];
  return major > LEAST_PYTHON[0] || (major === LEAST_PYTHON[0] && minor >= LEAST_PYTHON[1]);
}

/** [major, minor], or nothing where that is no Python that runs. */
function versionOf(python) {
  const { status, stdout } = spawnSync(python, ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split(' ').map(Number) : undefined;
}

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: ['ignore', 2, 2] }).status === 0;
}
