import { randomUUID } from 'node:crypto';
import type { UntypedHandleCall } from '@grpc/grpc-js';
import {
  ShadowResult, TOPICS, Watermark, WATERMARK_SCHEMA, type Approval, type CompareModelRequest, type CompareModelResponse, type ListModelChangesRequest, type ListModelChangesResponse, type ModelRegistryServiceServer,
  type ModelVersion, type MoveModelRequest, type MoveModelResponse, type RegisterModelRequest, type RegisterModelResponse, type RollBackModelRequest, type RollBackModelResponse,
} from '@millwright/contracts';
import { isBadInput, failedPrecondition, notFound, unary } from '@millwright/shell';
import { recorded, RegistryError, rollbackTarget, type Change, type ModelHistory, type ObjectFolder, type TrustedKeys } from '@millwright/models';
import { WATERMARK_KEY, type EventLog } from '@millwright/streams';
import type { Version } from '../version.js';
import { changeRecord, fromWireStage, toMessage } from './change-record.js';
import { Comparisons } from './comparison.js';
import type { RegistryView } from './registry-view.js';
import type { VersionLoader } from './version-loader.js';

export interface RegistryControllerOptions {
  readonly log: EventLog;
  readonly view: RegistryView;
  readonly loader: VersionLoader;
  readonly folder: ObjectFolder;
  readonly trusted: TrustedKeys | undefined;
  /** Models that the plant file names. */
  readonly models: ReadonlySet<string>;
  /** Refuses what can't judge in this plant. @throws ModelPackageError */
  readonly check: (version: Version) => void;
  /** Microseconds since the epoch, for the time of changes. */
  readonly nowUs: () => number;
}

/**
 * Event time between what has been judged and a change that names no time: every inference process has the change well before its
 * windows. Microseconds.
 */
const HEADWAY_US = 10_000_000;
/** How long a mark of event time is waited for; they come about once a second. */
const MARK_MS = 5_000;

/** How people change the registry, and ask it. */
export class RegistryController implements ModelRegistryServiceServer {
  [method: string]: UntypedHandleCall;
  readonly #options: RegistryControllerOptions;

  constructor(options: RegistryControllerOptions) {
    this.#options = options;
  }

  readonly registerModel = unary<RegisterModelRequest, RegisterModelResponse>(({ name, version, approval }) =>
    forPeople(async () => {
      const { folder, trusted, models, check, loader } = this.#options;
      if (!models.has(name)) throw new RegistryError(`No asset kind of the plant file is judged by a model ${name}: name it there first (${[...models].join(', ') || 'it names none'}).`);
      const { sha256, signedBy, manifest, package: model } = await folder.open(name, version, trusted);
      check(loader.version(model, sha256));
      return { change: await this.#write(name, approval, () => ({ version, stage: 'candidate', packageSha256: sha256, signedBy: signedBy ?? '', manifest })) };
    }),
  );

  readonly moveModel = unary<MoveModelRequest, MoveModelResponse>(({ name, version, stage: wire, share, approval }) =>
    forPeople(async () => {
      const stage = fromWireStage(wire);
      if (stage === undefined) throw new RegistryError(`stage: ${wire} is none that this version knows: give candidate, shadow, canary, production or retired.`);
      return { change: await this.#write(name, approval, ({ versions }) => ({ version, stage, share, packageSha256: versions.get(version)?.packageSha256 ?? '' })) };
    }),
  );

  readonly rollBackModel = unary<RollBackModelRequest, RollBackModelResponse>(({ name, approval }) =>
    forPeople(async () => ({
      change: await this.#write(name, approval, (history) => {
        const version = rollbackTarget(history);
        return { version, stage: 'production', rollback: true, packageSha256: history.versions.get(version)?.packageSha256 ?? '' };
      }),
    })),
  );

  readonly listModelChanges = unary<ListModelChangesRequest, ListModelChangesResponse>(async ({ name }) => {
    const { view } = this.#options;
    await view.caughtUp();
    const histories = name === '' ? view.histories() : [view.history(name)];
    if (name !== '' && histories[0]!.changes.length === 0) throw notFound('MODEL_UNKNOWN', `The registry has no model ${name}: register a package of it first.`);
    return { changes: histories.flatMap(({ changes }) => changes.map((change) => toMessage({ ...change, manifest: '' }))) };
  });

  readonly compareModel = unary<CompareModelRequest, CompareModelResponse>(async ({ name }) => {
    const comparisons = new Comparisons();
    const tail = await this.#options.log.tail({
      topics: [TOPICS.shadows.name],
      from: 'earliest',
      batch: ({ records }) => {
        for (const { key, value } of records) {
          if (key === WATERMARK_KEY) continue;
          const result = ShadowResult.decode(value);
          if (result.shadow?.model === name) comparisons.add(result);
        }
      },
    });
    try {
      await tail.caughtUp();
    } finally {
      await tail.close();
    }
    return { comparisons: comparisons.list() };
  });

  /**
   * Writes a change that follows from the history as the log has it.
   * @throws RegistryError where it is not possible, or someone else was faster
   */
  async #write(name: string, approval: Approval | undefined, make: (history: ModelHistory) => Partial<Change> & Pick<Change, 'version' | 'stage'>): Promise<ModelVersion> {
    const { log, view, nowUs } = this.#options;
    const { by = '', reason = '', effectiveUs = 0 } = approval ?? {};
    await view.caughtUp();
    const history = view.history(name);
    const made = make(history);
    const change: Change = {
      name, revision: history.changes.length + 1, id: randomUUID().slice(0, 8), by, reason, changedUs: nowUs(),
      effectiveUs: await this.#effectiveUs(history, effectiveUs, made.manifest !== undefined), share: 0, rollback: false, packageSha256: '', signedBy: '', manifest: '', ...made,
    };
    recorded(history, change);
    await log.append([changeRecord(change, await log.partitions(TOPICS.models.name))]);
    await view.caughtUp();
    if (view.history(name).changes[change.revision - 1]?.id !== change.id) throw new RegistryError(`Someone else changed ${name} at the same time: look at its history and try again.`);
    return toMessage({ ...change, manifest: '' });
  }

  /** Event time from which a change holds: nothing that it is for may have been judged. */
  async #effectiveUs({ name, changes }: ModelHistory, asked: number, judgesNothing: boolean): Promise<number> {
    const { log, view } = this.#options;
    const judgedUs = view.judgedUs();
    if (asked !== 0) {
      if (asked < judgedUs) throw new RegistryError(`Windows up to ${new Date(judgedUs / 1000).toISOString()} have been judged, and a change of ${name} can't hold from earlier: give a later time, or none.`);
      return asked;
    }
    const earliestUs = changes.at(-1)?.effectiveUs ?? 0;
    if (judgesNothing) return earliestUs;
    if (judgedUs !== -Infinity) return Math.max(earliestUs, judgedUs + HEADWAY_US);
    if ((await log.endOffsets(TOPICS.features.name)).every((end) => end === 0)) return earliestUs;
    const reachedUs = await nextMarkUs(log);
    if (reachedUs !== undefined) return Math.max(earliestUs, reachedUs + HEADWAY_US);
    throw new RegistryError(`Nothing comes, and this process has judged nothing, so it can't tell what time it is in the data: give the time from which the change of ${name} is to hold.`);
  }
}

/** Event time of the next mark among the features; undefined where none comes. A process that has no partition sees the time by it. */
async function nextMarkUs(log: EventLog): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const timer = setTimeout(() => resolve(undefined), MARK_MS);
  const tail = await log.tail({
    topics: [TOPICS.features.name],
    from: 'latest',
    batch: ({ records }) => {
      const mark = records.findLast(({ headers }) => headers.schema === WATERMARK_SCHEMA);
      if (mark !== undefined) resolve(Watermark.decode(mark.value).timeUs);
    },
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await tail.close();
  }
}

/** What people can mend goes to them as FAILED_PRECONDITION. */
async function forPeople<R>(answer: () => Promise<R>): Promise<R> {
  try {
    return await answer();
  } catch (error) {
    throw isBadInput(error) ? failedPrecondition('REGISTRY_REFUSES', error.message) : error;
  }
}
