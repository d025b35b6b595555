import { TOPICS } from '@millwright/contracts';
import { describeModel, isCanaryAsset, RegistryError, Timeline, type Change, type EngineLogger, type ModelHistory, type ObjectFolder } from '@millwright/models';
import { WATERMARK_KEY, type EventLog, type LogRecord, type Tail } from '@millwright/streams';
import type { Version, VersionsInForce, VersionSource } from '../version.js';
import { readChange } from './change-record.js';
import type { VersionLoader } from './version-loader.js';

interface Model {
  timeline: Timeline;
  /** All that were ever registered, by version: a replay judges by them again. */
  readonly versions: Map<string, Version>;
  /** Latest window that was asked for; microseconds. */
  askedUs: number;
}

export interface RegistryViewOptions {
  readonly log: EventLog;
  readonly folder: ObjectFolder;
  readonly loader: VersionLoader;
  readonly logger: EngineLogger;
  /** Refuses what can't judge in this plant. @throws ModelPackageError */
  readonly check: (version: Version) => void;
}

const NOTHING: VersionsInForce = { acting: undefined, shadows: [] };

/**
 * The registry as models.v1 has it. What judges a window is a function of the changes and of the window's end alone, so a replay,
 * which has all changes from its beginning, judges as the line did; a change that came after a window that it should have judged
 * is said in the log.
 */
export class RegistryView implements VersionSource {
  readonly #options: RegistryViewOptions;
  readonly #models = new Map<string, Model>();
  #tail: Tail | undefined;

  constructor(options: RegistryViewOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the view has all that the log has, and what is to judge is loaded; it follows the log from then on.
   * @throws ModelPackageError where a version that is to judge is not there or does not fit
   */
  async start(): Promise<void> {
    let starting = true;
    this.#tail = await this.#options.log.tail({
      topics: [TOPICS.models.name],
      from: 'earliest',
      batch: ({ records }) => {
        for (const record of records) {
          const change = this.#take(record);
          if (change !== undefined && !starting) this.#follow(change);
        }
      },
    });
    await this.#tail.caughtUp();
    starting = false;
    for (const { name, versions } of this.histories()) {
      for (const { version, stage, packageSha256 } of versions.values()) {
        if (stage === 'candidate' || stage === 'retired') continue;
        this.#options.check(this.#models.get(name)!.versions.get(version)!);
        if (stage !== 'shadow') await this.#options.loader.load(name, version, packageSha256);
      }
    }
  }

  /** Resolves when the view has all that the log had at the time of this call. */
  async caughtUp(): Promise<void> {
    await this.#tail?.caughtUp();
  }

  async close(): Promise<void> {
    await this.#tail?.close();
  }

  at(name: string, asset: string, endUs: number): VersionsInForce {
    const model = this.#model(name);
    model.askedUs = Math.max(model.askedUs, endUs);
    const { production, canary, shadows } = model.timeline.at(endUs);
    if (production === undefined && canary === undefined && shadows.length === 0) return NOTHING;
    const acting = canary !== undefined && isCanaryAsset(name, asset, canary.share) ? canary.version : production;
    return { acting: acting === undefined ? undefined : model.versions.get(acting), shadows: shadows.map((version) => model.versions.get(version)!) };
  }

  /** Changes of one model; without any for a name that the registry does not know. */
  history(name: string): ModelHistory {
    return this.#models.get(name)?.timeline.history ?? Timeline.empty(name).history;
  }

  /** Of all models that the registry knows, by name. */
  histories(): ModelHistory[] {
    return [...this.#models.values()].map(({ timeline }) => timeline.history).filter(({ changes }) => changes.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** End of the latest window that was judged here, of any model; -Infinity before the first. */
  judgedUs(): number {
    return Math.max(-Infinity, ...[...this.#models.values()].map(({ askedUs }) => askedUs));
  }

  #model(name: string): Model {
    let model = this.#models.get(name);
    if (model === undefined) this.#models.set(name, (model = { timeline: Timeline.empty(name), versions: new Map(), askedUs: -Infinity }));
    return model;
  }

  /** The change, where it holds. */
  #take(record: LogRecord): Change | undefined {
    const { folder, loader, logger } = this.#options;
    if (record.key === WATERMARK_KEY) return undefined;
    try {
      const change = readChange(record);
      if (change === undefined) throw new RegistryError('it has a stage that this version does not know');
      const model = this.#model(change.name);
      model.timeline = model.timeline.with(change);
      if (change.manifest !== '') {
        model.versions.set(change.version, loader.version(describeModel(folder.directory(change.name, change.version), change.manifest), change.packageSha256));
      }
      return change;
    } catch (error) {
      logger.warn({ topic: record.topic, partition: record.partition, offset: record.offset }, `a change of the registry has no effect: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Loads what is to judge before its time comes. */
  #follow({ name, version, stage, effectiveUs, by }: Change): void {
    const { loader, logger } = this.#options;
    const model = this.#model(name);
    logger.info({ model: name, version, stage, effectiveUs, by }, `${name}: ${version === '' ? 'the package beside the plant file' : version} becomes ${stage}`);
    if (model.askedUs > effectiveUs) {
      logger.warn({ model: name, version, effectiveUs, judgedUs: model.askedUs }, `the change of ${name} came when windows that it is for had been judged: a replay judges those otherwise`);
    }
    const known = model.timeline.history.versions.get(version);
    if (known === undefined || stage === 'candidate' || stage === 'retired') return;
    loader.load(name, version, known.packageSha256).catch((error: unknown) => {
      logger.warn({ model: name, version, err: error }, `${name} ${version} is to judge and can't be loaded: ${(error as Error).message}`);
    });
  }
}
