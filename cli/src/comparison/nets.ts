import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ROOT } from '../home.js';
import { UsageError } from '../usage-error.js';
import type { Curve, Trained } from './curve.js';

/** Networks that the Python package in training/ trains. */
export const NETS = ['lstm', 'cnn', 'transformer', 'transformer-pretrained'] as const;
export type NetName = (typeof NETS)[number];

/** Lines that the trainer writes; others, and further fields, are its own affair. */
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('epoch'), epoch: z.number(), of: z.number(), train_loss: z.number(), validation_loss: z.number(), validation_score: z.number(), seconds: z.number() }),
  z.object({ event: z.literal('quantised'), score_before: z.number(), score_after: z.number(), refused: z.boolean() }),
  z.object({ event: z.literal('done'), seconds: z.number(), device: z.string(), parameters: z.number(), onnx_difference: z.number() }),
]);

/** Difference between the trainer's network and its package on 100 windows above which the package is refused. */
const TOLERANCE = 1e-4;
/** Of what it writes to standard error, what is kept for the message when it fails. */
const KEPT = 4000;

export interface NetRequest {
  readonly net: NetName;
  /** Folder that writeDataset wrote. */
  readonly dataset: string;
  readonly out: string;
  readonly seed: number;
  readonly epochs?: number;
  /** Takes a line of progress at a time. */
  readonly say: (line: string) => void;
}

/**
 * Trains a network in a Python process of its own; it writes the package.
 * @throws an error with `badInput` where Python or what it needs is missing, or the trainer refuses the data
 */
export async function trainNet({ net, dataset, out, seed, epochs, say }: NetRequest): Promise<Trained> {
  const args = ['-m', 'millwright_training', '--dataset', dataset, '--model', net, '--out', out, '--seed', String(seed), ...(epochs === undefined ? [] : ['--epochs', String(epochs)])];
  const folder = join(ROOT, 'training');
  const { pythonEnvironment } = (await import(pathToFileURL(join(folder, 'environment.mjs')).href)) as { pythonEnvironment(): Promise<string> };
  const python = await pythonEnvironment();
  const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PYTHONPATH: [folder, process.env['PYTHONPATH']].filter(Boolean).join(':') } });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-KEPT)));
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const points: { at: number; train: number; validation: number }[] = [];
  let done: Extract<z.output<typeof eventSchema>, { event: 'done' }> | undefined;
  const read = async (): Promise<void> => {
    for await (const line of createInterface({ input: child.stdout })) {
      const event = eventOf(line);
      if (event === undefined) continue;
      if (event.event === 'done') done = event;
      else if (event.event === 'quantised') say(`${net}: quantised, ${event.score_before.toFixed(4)} before and ${event.score_after.toFixed(4)} after${event.refused ? ': refused' : ''}`);
      else {
        points.push({ at: event.epoch, train: event.train_loss, validation: event.validation_loss });
        say(`${net}: epoch ${event.epoch} of ${event.of}, loss ${event.train_loss.toFixed(4)}, validation ${event.validation_loss.toFixed(4)}, score ${event.validation_score.toFixed(4)}, ${event.seconds.toFixed(0)} s`);
      }
    }
  };
  const [code] = await Promise.all([ended, read()]);
  if (code === 2) throw new UsageError(complaint.trim());
  if (code !== 0 || done === undefined) throw new Error(`training ${net} ended with ${code ?? 'a signal'}: ${complaint.trim()}`);
  if (!(done.onnx_difference <= TOLERANCE)) throw new Error(`${out}/model.onnx differs by ${done.onnx_difference} from the network that was trained; the exporter is wrong`);
  const curve: Curve = { step: 'epoch', measure: 'loss', points };
  return { seconds: done.seconds, note: `${done.parameters} parameters, ${points.length} epochs, ${done.device}`, curve };
}

function eventOf(line: string): z.output<typeof eventSchema> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    // Libraries print to standard output, too.
    return undefined;
  }
  return eventSchema.safeParse(json).data;
}
