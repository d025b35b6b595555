import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '@millwright/servers';
import { built, MissingPeerError, PEERS } from './peer.js';

const execute = promisify(execFile);

/** Python with the packages of a peer's requirements.txt, in a virtual environment made on first use. Returns the path of its python. */
export async function pythonOf(peer: string, title: string, progress: (line: string) => void, finish?: (python: string, folder: string) => Promise<void>): Promise<string> {
  const python = await findCommand('python3');
  if (python === undefined) throw new MissingPeerError(`${title} is not measured: it needs Python 3.11 or newer, and there is no python3 on the PATH.`);
  const requirements = join(PEERS, peer, 'requirements.txt');
  const folder = await built(peer, [requirements], async (aside) => {
    progress(`making the Python environment of ${title}, once`);
    try {
      await execute(python, ['-m', 'venv', aside]);
      const own = join(aside, 'bin/python');
      // Run as a module, pip does not mind that the folder is renamed afterwards.
      await execute(own, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
      await finish?.(own, aside);
    } catch (error) {
      const lines = (error as { stderr?: string }).stderr?.trim().split('\n') ?? [];
      throw new MissingPeerError(`${title} is not measured: its Python environment could not be made: ${lines.at(-1) || (error as Error).message}`);
    }
  });
  return join(folder, 'bin/python');
}

/** Generates Python modules from .proto files with grpc_tools. */
export async function generate(python: string, proto: string, files: readonly string[], out: string): Promise<void> {
  await execute(python, ['-m', 'grpc_tools.protoc', `-I${proto}`, `--python_out=${out}`, ...files]);
}
