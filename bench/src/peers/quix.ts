import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PEERS, PROTO, type Peer, type PeerCommand } from './peer.js';
import { generate, pythonOf } from './python.js';

const MESSAGES = ['telemetry/v1/telemetry', 'features/v1/features', 'production/v1/production', 'quality/v1/quality'];

/** Quix Streams (Python): a stateful function with exactly-once processing, numpy and scipy. */
export const quix: Peer = {
  name: 'Quix Streams',
  id: 'quix',
  commitMs: 1_000,
  threads: 1,

  async prepare(progress): Promise<PeerCommand> {
    const python = await pythonOf('quix', 'Quix Streams', progress, async (own, folder) => {
      await mkdir(join(folder, 'messages'));
      await generate(own, PROTO, MESSAGES.map((file) => join(PROTO, `millwright/${file}.proto`)), join(folder, 'messages'));
    });
    const messages = join(dirname(dirname(python)), 'messages');
    // One thread: the arrays are small, and what numpy's threads would win they lose in waiting.
    const env = ['-u', 'PYTHONHOME', `PYTHONPATH=${messages}`, `PYTHONPYCACHEPREFIX=${messages}`, 'OPENBLAS_NUM_THREADS=1', 'OMP_NUM_THREADS=1'];
    return { command: '/usr/bin/env', args: [...env, python, join(PEERS, 'quix/main.py')] };
  },
};
