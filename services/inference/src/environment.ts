import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { InferenceSettings } from './models.js';

/** Where registered packages are, unless a setting says otherwise: `registry` in MILLWRIGHT_HOME. */
export const registryFolder = ({ MILLWRIGHT_REGISTRY: folder, MILLWRIGHT_HOME: home }: { readonly MILLWRIGHT_REGISTRY?: string | undefined; readonly MILLWRIGHT_HOME?: string | undefined }): string =>
  resolve(folder ?? join(home ?? '.millwright', 'registry'));

/** Settings of the inference service. */
export const inferenceEnvironment = z
  .object({
    INFERENCE_WORKERS: z
      .string()
      .default(String(Math.max(1, availableParallelism() - 1)))
      .refine((text) => /^[1-9]\d{0,2}$/.test(text), 'give a whole number from 1 to 999')
      .transform(Number),
    INFERENCE_DEVICE: z.enum(['cpu', 'cuda', 'tensorrt'], { error: 'give one of cpu, cuda, tensorrt, or leave it out' }).optional(),
    MILLWRIGHT_HOME: z.string().min(1).optional(),
    MILLWRIGHT_REGISTRY: z.string().min(1, 'give the folder of registered model packages, or leave it out').optional(),
    MILLWRIGHT_MODEL_KEYS: z.string().min(1, 'give the path of a file of public keys, or leave it out').optional(),
  })
  .transform(({ INFERENCE_WORKERS: workers, INFERENCE_DEVICE: device, MILLWRIGHT_MODEL_KEYS: trustedKeysFile, ...places }): InferenceSettings => ({
    workers,
    ...(device === undefined ? {} : { device }),
    registryFolder: registryFolder(places),
    ...(trustedKeysFile === undefined ? {} : { trustedKeysFile }),
  }));
