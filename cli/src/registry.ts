import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import {
  ModelRegistryServiceClient, Stage as WireStage, type CompareModelResponse, type ListModelChangesResponse, type ModelVersion, type MoveModelResponse,
  type RegisterModelResponse, type RollBackModelResponse, type ShadowComparison,
} from '@millwright/contracts';
import {
  checkPackage, emptyHistory, generateKey, ObjectFolder, productionChangeAt, readTrustedKeys, recorded, signPackage, STAGES, type Change, type ModelHistory, type Stage, type TrustedKeys,
} from '@millwright/models';
import { registryFolder } from '@millwright/service-inference';
import { call, withClient, type ConnectionOptions } from './connection.js';
import { standardRegistry } from './home.js';
import { UsageError } from './usage-error.js';

/** Who approves a change, why, and from which event time it is to hold. */
export interface ApprovalOptions extends ConnectionOptions {
  readonly by: string;
  readonly reason: string;
  readonly from?: string;
}

/** `millwright models keygen`. */
export async function keygen({ name, out }: { readonly name: string; readonly out: string }): Promise<number> {
  const { privateKey, publicLine } = generateKey(name);
  const write = (file: string, text: string, mode: number): Promise<void> =>
    writeFile(file, text, { flag: 'wx', mode }).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`${file} can't be written (${error.code ?? error.message}): name a file that is not there yet, in a folder that may be written to.`);
    });
  if (existsSync(`${out}.pub`)) throw new UsageError(`${out}.pub is there already: a key is never overwritten, name another file.`);
  await write(out, privateKey, 0o600);
  await write(`${out}.pub`, publicLine, 0o644);
  process.stdout.write(`${out} signs packages and is to be kept secret; the line in ${out}.pub belongs into the file that MILLWRIGHT_MODEL_KEYS names.\n`);
  return 0;
}

/** `millwright models sign`. */
export async function sign(directory: string, { key, name }: { readonly key: string; readonly name: string }): Promise<number> {
  const { package: { manifest } } = await checkPackage(directory, undefined);
  await signPackage(directory, key, name);
  process.stdout.write(`${manifest.name} ${manifest.version} is signed by ${name}.\n`);
  return 0;
}

/** `millwright models verify`. */
export async function verify(directory: string, { keys }: { readonly keys?: string }): Promise<number> {
  const trusted = await trustedKeys(keys);
  const { package: { manifest }, sha256, signedBy } = await checkPackage(directory, trusted);
  process.stdout.write(`${manifest.name} ${manifest.version}, ${sha256}: ${signedBy === undefined ? 'whole; no trusted keys were given to check a signature by' : `whole, and signed by ${signedBy}`}.\n`);
  return 0;
}

/** `millwright models register`. */
export async function register(directory: string, options: ApprovalOptions): Promise<number> {
  const folder = new ObjectFolder(registryFolder({ MILLWRIGHT_REGISTRY: standardRegistry(), ...process.env }));
  const trusted = await trustedKeys();
  // What is refused leaves nothing behind: the package is checked before it is copied, and its copy again.
  const { package: { manifest: { name, version } }, signedBy } = await folder.add(directory, trusted);
  if (signedBy === undefined) process.stderr.write(`${name} ${version} is taken without a look at who signed it: MILLWRIGHT_MODEL_KEYS names no trusted keys.\n`);
  return withRegistry(options, async (client) => {
    const { change } = await call<RegisterModelResponse>((done) => client.registerModel({ name, version, approval: approval(options) }, done));
    return said(change!);
  });
}

/** `millwright models promote` and `millwright models retire`. */
export async function move(name: string, version: string, { stage: to, share, ...options }: ApprovalOptions & { readonly stage: string; readonly share?: number }): Promise<number> {
  if (!(STAGES as readonly string[]).includes(to)) throw new UsageError(`--stage ${to}: there is no such stage; give ${STAGES.slice(0, -1).join(', ')} or ${STAGES.at(-1)}.`);
  const stage = WireStage[to.toUpperCase() as keyof typeof WireStage];
  return withRegistry(options, async (client) => {
    const { change } = await call<MoveModelResponse>((done) => client.moveModel({ name, version, stage, share: share ?? 0, approval: approval(options) }, done));
    return said(change!);
  });
}

/** `millwright models rollback`. */
export async function rollback(name: string, options: ApprovalOptions): Promise<number> {
  return withRegistry(options, async (client) => {
    const { change } = await call<RollBackModelResponse>((done) => client.rollBackModel({ name, approval: approval(options) }, done));
    return said(change!);
  });
}

/** `millwright models list`. */
export async function list(options: ConnectionOptions): Promise<number> {
  const all = await histories(options, '');
  for (const { name, versions } of all) {
    process.stdout.write(`${name}\n`);
    for (const { version, stage, share, packageSha256 } of versions.values()) process.stdout.write(`  ${version}  ${stage}${stage === 'canary' ? ` of ${share}` : ''}  ${packageSha256.slice(0, 12)}\n`);
  }
  if (all.length === 0) process.stdout.write('No model is registered: the packages beside the plant file judge.\n');
  return 0;
}

/** `millwright models history`. */
export async function history(name: string, options: ConnectionOptions): Promise<number> {
  const [found] = await histories(options, name);
  for (const change of found!.changes) process.stdout.write(`${sentence(change)}\n`);
  return 0;
}

/** `millwright models which`. */
export async function which(name: string, { at, ...options }: ConnectionOptions & { readonly at?: string }): Promise<number> {
  const [found] = await histories(options, name);
  const timeUs = at === undefined ? Infinity : microseconds('--at', at);
  const change = productionChangeAt(found!, timeUs);
  const when = at === undefined ? 'after all changes' : `at ${at}`;
  process.stdout.write(
    change === undefined || change.version === ''
      ? `${name}: ${when} the package beside the plant file is in production${change === undefined ? '' : `, since ${time(change.effectiveUs)}, rolled back by ${change.by}: ${change.reason}`}.\n`
      : `${name}: ${when} ${change.version} is in production, since ${time(change.effectiveUs)}, approved by ${change.by} on ${time(change.changedUs)}: ${change.reason}\n`,
  );
  return 0;
}

/** `millwright models compare`. */
export async function compare(name: string, options: ConnectionOptions): Promise<number> {
  return withRegistry(options, async (client) => {
    const { comparisons } = await call<CompareModelResponse>((done) => client.compareModel({ name }, done));
    process.stdout.write(comparisons.length === 0 ? `Nothing of ${name} has been in the shadow in what the log still has.\n` : comparisons.map(table).join(''));
    return 0;
  });
}

function table({ version, productionVersion, windows, alone, failures, agreements, confusion, meanAbsoluteDifference, largestDifference }: ShadowComparison): string {
  const failed = failures > 0 ? `; ${failures} more windows it could not judge, and the log of inference says why` : '';
  if (windows === 0) return `${version} in the shadow: ${alone} windows, none of which production judged too${failed}.\n`;
  const share = ((100 * agreements) / windows).toFixed(2);
  const lines = [
    `${version} in the shadow of ${productionVersion}: ${windows} windows${alone > 0 ? ` and ${alone} more alone` : ''}, ${share} % agree; mean absolute difference ${meanAbsoluteDifference.toPrecision(3)}, largest ${largestDifference.toPrecision(3)}${failed}`,
    ...confusion.map(({ production, shadow, windows: count }) => `  ${String(count).padStart(8)}  production ${production}, shadow ${shadow}`),
  ];
  return `${lines.join('\n')}\n`;
}

const time = (us: number): string => (us === 0 ? 'the beginning' : new Date(us / 1000).toISOString());

const sentence = ({ revision, version, stage, share, rollback: back, by, reason, changedUs, effectiveUs, signedBy }: Change): string =>
  `${revision}  ${version === '' ? '(the package beside the plant file)' : version}  ${back ? 'back in production' : stage}${stage === 'canary' ? ` of ${share}` : ''}  from ${time(effectiveUs)}  by ${by} on ${time(changedUs)}: ${reason}${signedBy === '' ? '' : `  (signed by ${signedBy})`}`;

function said(message: ModelVersion): number {
  const change = changeOf(message);
  process.stdout.write(`${change.name}: ${sentence(change)}\n`);
  return 0;
}

const stageOf = (wire: WireStage): Stage => STAGES.find((stage) => WireStage[stage.toUpperCase() as keyof typeof WireStage] === wire)!;

const changeOf = ({ stage, changedBy: by, changeId: id, ...rest }: ModelVersion): Change => ({ ...rest, stage: stageOf(stage), by, id });

/** Histories by model. The manifests that registrations need are not among what is sent, only that there are some. */
async function histories(options: ConnectionOptions, name: string): Promise<ModelHistory[]> {
  return withRegistry(options, async (client) => {
    const { changes } = await call<ListModelChangesResponse>((done) => client.listModelChanges({ name }, done));
    const byName = new Map<string, ModelHistory>();
    for (const change of changes.map(changeOf)) {
      const before = byName.get(change.name) ?? emptyHistory(change.name);
      const registers = change.stage === 'candidate' && !before.versions.has(change.version);
      byName.set(change.name, recorded(before, registers ? { ...change, manifest: '{}' } : change));
    }
    return [...byName.values()];
  });
}

const trustedKeys = async (file = process.env['MILLWRIGHT_MODEL_KEYS']): Promise<TrustedKeys | undefined> => (file === undefined ? undefined : readTrustedKeys(file));

const approval = ({ by, reason, from }: ApprovalOptions): { by: string; reason: string; effectiveUs: number } => ({ by, reason, effectiveUs: from === undefined ? 0 : microseconds('--from', from) });

function microseconds(option: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new UsageError(`${option} ${text}: this is no time; give one as 2026-11-27T12:00:00Z.`);
  return ms * 1000;
}

const withRegistry = <R>(connection: ConnectionOptions, use: (client: ModelRegistryServiceClient) => Promise<R>): Promise<R> => withClient(ModelRegistryServiceClient, 'Inference', connection, use);
