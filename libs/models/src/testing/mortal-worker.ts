import { existsSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { WorkerAnswer } from '../workers/protocol.js';

/** What a mortal worker is told: answer with the number, or die first, once (until the file exists) or each time. */
export interface MortalJob {
  readonly answer: number;
  readonly die?: 'once' | 'always';
  readonly witness?: string;
}

const port = parentPort!;
const answer = (message: WorkerAnswer<number>): void => port.postMessage(message);

port.on('message', ({ answer: number, die, witness }: MortalJob) => {
  if (die === 'always' || (die === 'once' && !existsSync(witness!))) {
    if (witness !== undefined) writeFileSync(witness, '');
    process.exit(3);
  }
  answer({ type: 'done', answer: number });
});
answer({ type: 'ready', detail: 'mortal' });
