import { runService } from '@millwright/shell';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { InferenceModule } from './inference.module.js';

const environment = z
  .object({
    INFERENCE_WORKERS: z
      .string()
      .default(String(Math.max(1, availableParallelism() - 1)))
      .refine((text) => /^[1-9]\d{0,2}$/.test(text), 'give a whole number from 1 to 999')
      .transform(Number),
    INFERENCE_DEVICE: z.enum(['cpu', 'cuda', 'tensorrt'], { error: 'give one of cpu, cuda, tensorrt, or leave it out' }).optional(),
  })
  .transform(({ INFERENCE_WORKERS: workers, INFERENCE_DEVICE: device }) => ({ workers, ...(device === undefined ? {} : { device }) }));

await runService({ name: 'inference', environment, module: (settings) => InferenceModule.with(settings) });
