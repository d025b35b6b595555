import { ModelRegistryServiceService, type ModelRegistryServiceServer } from '@millwright/contracts';
import { ObjectFolder, readTrustedKeys, type EngineLogger, type InferenceEngine, type InferenceScheduler } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import type { EventLog } from '@millwright/streams';
import { FeatureExtractor } from '@millwright/signal';
import { judgeOf } from '../judge.js';
import type { Version, VersionSource } from '../version.js';
import { RegistryController } from './registry.controller.js';
import { RegistryView } from './registry-view.js';
import { VersionLoader } from './version-loader.js';

export interface RegistryOptions {
  readonly plant: Plant;
  readonly log: EventLog;
  readonly logger: EngineLogger;
  /** Folder of the packages. */
  readonly folder: string;
  /** File of the public keys that packages must be signed with; undefined where they need no signature. */
  readonly trustedKeysFile: string | undefined;
  /** Where packages are loaded and run. */
  readonly engine: InferenceEngine;
  readonly scheduler: InferenceScheduler;
  readonly nowUs: () => number;
}

/** The registry at work. */
export interface OpenRegistry {
  readonly versions: VersionSource;
  readonly service: typeof ModelRegistryServiceService;
  readonly controller: ModelRegistryServiceServer;
  close(): Promise<void>;
}

/**
 * Opens the registry of models.v1 and loads what is to judge.
 * @throws ModelPackageError, KeyFileError, EngineError
 */
export async function openRegistry({ plant, log, logger, folder: path, trustedKeysFile, engine, scheduler, nowUs }: RegistryOptions): Promise<OpenRegistry> {
  const trusted = trustedKeysFile === undefined ? undefined : await readTrustedKeys(trustedKeysFile);
  const folder = new ObjectFolder(path);
  const loader = new VersionLoader({ folder, trusted, engine, scheduler, logger });
  const kinds = [...plant.kinds.values()].map((kind) => ({ kind, names: new FeatureExtractor(kind).names }));
  const check = (version: Version): void => {
    for (const each of kinds) if (each.kind.models.includes(version.model.manifest.name)) judgeOf(each, version);
  };
  const view = new RegistryView({ log, folder, loader, logger, check });
  const close = async (): Promise<void> => {
    loader.close();
    await view.close();
  };
  try {
    await view.start();
  } catch (error) {
    await close();
    throw error;
  }
  const models = new Set(kinds.flatMap(({ kind }) => kind.models));
  return { versions: view, service: ModelRegistryServiceService, controller: new RegistryController({ log, view, loader, folder, trusted, models, check, nowUs }), close };
}
