/** Where a version of a model stands. */
export const STAGES = ['candidate', 'shadow', 'canary', 'production', 'retired'] as const;
export type Stage = (typeof STAGES)[number];

/** One change of the registry: a version enters a stage. The registry is the fold of its changes. */
export interface Change {
  readonly name: string;
  /** Empty where a rollback ends at what was in production before the registry knew the model. */
  readonly version: string;
  readonly stage: Stage;
  /** Counts the changes of a model from 1. */
  readonly revision: number;
  /** Tells changes that were written at the same time apart. */
  readonly id: string;
  /** Who made or approved it, and why. */
  readonly by: string;
  readonly reason: string;
  /** When it was made, microseconds since the Unix epoch. */
  readonly changedUs: number;
  /** Event time, microseconds: what ends later is judged by it. */
  readonly effectiveUs: number;
  /** Share of the assets that a canary judges, above 0 and below 1; 0 in other stages. */
  readonly share: number;
  readonly rollback: boolean;
  /** Of the package as registered; the same in all changes of a version. */
  readonly packageSha256: string;
  /** Name of the key that signed the package; empty where none did. At registration. */
  readonly signedBy: string;
  /** Text of manifest.json. At registration. */
  readonly manifest: string;
}

/** A version as the changes so far have it. */
export interface Version {
  readonly version: string;
  readonly stage: Stage;
  readonly share: number;
  readonly packageSha256: string;
}

/** The changes of one model, oldest first, and what they come to. */
export interface ModelHistory {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly versions: ReadonlyMap<string, Version>;
  /**
   * Versions that were in production one after the other and were not rolled back, the present one last. Empty: what was in
   * production before the registry knew the model.
   */
  readonly productions: readonly string[];
}

/** A change that is not possible. The message is one sentence: what is wrong and what to do. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly badInput = true;
}

/** Changes of one model, so that its history fits into memory and is read in one go. */
const MOST_CHANGES = 10_000;

/**
 * Where a version may be moved to. Nothing leads out of production but another version's promotion or a rollback: a model
 * always has what was meant to judge. What has retired comes back by rollback alone.
 */
const MOVES: Readonly<Record<Stage, readonly Stage[]>> = {
  candidate: ['shadow', 'canary', 'production', 'retired'],
  shadow: ['candidate', 'canary', 'production', 'retired'],
  canary: ['candidate', 'shadow', 'canary', 'production', 'retired'],
  production: [],
  retired: [],
};

export const emptyHistory = (name: string): ModelHistory => ({ name, changes: [], versions: new Map(), productions: [] });

/** What is in production, by the registry. */
export const inProduction = ({ productions }: ModelHistory): string | undefined => productions.at(-1);

/**
 * The history with one change more.
 * @throws RegistryError where the change is not possible; the history stays as it is
 */
export function recorded(history: ModelHistory, change: Change): ModelHistory {
  checkForm(history, change);
  const versions = new Map(history.versions);
  const productions = [...history.productions];
  const move = (version: string, stage: Stage, share = 0): void => void versions.set(version, { version, stage, share, packageSha256: versions.get(version)!.packageSha256 });
  if (change.rollback) {
    const target = rollbackTarget(history);
    if (change.version !== target) throw new RegistryError(`${change.name} goes back to ${called(target)}, not to ${called(change.version)}: look at its history and try again.`);
    move(productions.pop()!, 'retired');
    if (target !== '') move(target, 'production');
  } else if (isRegistration(history, change)) {
    versions.set(change.version, { version: change.version, stage: 'candidate', share: 0, packageSha256: change.packageSha256 });
  } else {
    checkMove(history, change);
    const earlier = productions.at(-1);
    if (change.stage === 'production') {
      if (earlier !== undefined) move(earlier, 'retired');
      productions.push(change.version);
    }
    move(change.version, change.stage, change.share);
  }
  return { name: history.name, changes: [...history.changes, change], versions, productions };
}

/**
 * What a rollback puts in production: the version before, or '' for what was there before the registry knew the model.
 * @throws RegistryError where there is nothing to roll back
 */
export function rollbackTarget({ name, productions }: ModelHistory): string {
  if (productions.length === 0) throw new RegistryError(`No version of ${name} in the registry is in production: there is nothing to roll back.`);
  return productions.at(-2) ?? '';
}

const called = (version: string): string => (version === '' ? 'the package beside the plant file' : version);

const isRegistration = ({ versions }: ModelHistory, { version, stage, packageSha256, manifest }: Change): boolean =>
  stage === 'candidate' && packageSha256 !== '' && manifest !== '' && !versions.has(version);

function checkForm({ name, changes }: ModelHistory, change: Change): void {
  if (change.name !== name) throw new RegistryError(`A change of ${change.name} is none of ${name}: write it under its own name.`);
  if (change.revision !== changes.length + 1) throw new RegistryError(`Someone else changed ${name} at the same time (revision ${changes.length}): look at its history and try again.`);
  if (change.by.trim() === '') throw new RegistryError(`Nobody stands behind the change of ${name}: say who approves it.`);
  if (change.reason.trim() === '') throw new RegistryError(`The change of ${name} has no reason: give one.`);
  if (changes.length >= MOST_CHANGES) throw new RegistryError(`${name} has ${MOST_CHANGES} changes, as many as a model may have: go on under another name.`);
  const last = changes.at(-1);
  if (last !== undefined && change.effectiveUs < last.effectiveUs) {
    throw new RegistryError(`The change of ${name} would hold from ${time(change.effectiveUs)}, and the one before holds from ${time(last.effectiveUs)}: give the same time or a later one.`);
  }
}

function checkMove({ name, versions }: ModelHistory, { version, stage, share, packageSha256, manifest }: Change): void {
  const present = versions.get(version);
  if (present === undefined) throw new RegistryError(`${name} has no version ${version === '' ? 'without a name' : version} (${[...versions.keys()].join(', ') || 'none is registered'}): register it first.`);
  if (manifest !== '' || (packageSha256 !== '' && packageSha256 !== present.packageSha256)) {
    throw new RegistryError(`${name} ${version} is registered already: a version never changes, give the new package another version.`);
  }
  if (!MOVES[present.stage].includes(stage)) throw new RegistryError(`${name} ${version} is ${standing(present.stage)} and can't become ${stage}: ${remedy(present.stage)}.`);
  if (stage !== 'canary') {
    if (share !== 0) throw new RegistryError(`A share is for canaries, and ${name} ${version} is to become ${stage}: leave it out.`);
    return;
  }
  if (!(share > 0 && share < 1)) throw new RegistryError(`A canary of ${name} needs a share of the assets above 0 and below 1, not ${share}: 0.2 is every fifth.`);
  const other = [...versions.values()].find((each) => each.stage === 'canary' && each.version !== version);
  if (other !== undefined) throw new RegistryError(`${name} ${other.version} is the canary already: move it elsewhere first.`);
}

const standing = (stage: Stage): string => (stage === 'production' ? 'in production' : stage === 'retired' ? 'retired' : `a ${stage}`);

function remedy(stage: Stage): string {
  if (stage === 'production') return 'promote another version, or roll back';
  return stage === 'retired' ? 'roll back to it if it was in production last, or register it under a new version' : `it can become ${MOVES[stage].join(', ')}`;
}

const time = (us: number): string => (Number.isFinite(us / 1000) && Math.abs(us / 1000) < 8.64e15 ? new Date(us / 1000).toISOString() : String(us));
