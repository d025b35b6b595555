import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOPICS } from '@millwright/contracts';
import { ObjectFolder, type Change } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { topicSpecs } from '@millwright/shell';
import { openEmbeddedLog, type EventLog } from '@millwright/streams';
import { startModels, type RunningModels } from '../models.js';
import { toyPlant } from '../testing/fixtures.js';
import { changeRecord } from './change-record.js';
import { openRegistry, type OpenRegistry } from './open-registry.js';

const NAME = 'toy-diagnosis';
let plant: Plant;
let remove: () => Promise<void>;
let models: RunningModels;
let folder: string;
let log: EventLog;
let registered: Partial<Change>;
let said: string[] = [];
const open: OpenRegistry[] = [];

beforeAll(async () => {
  ({ plant, remove } = await toyPlant());
  models = await startModels(plant, { workers: 1 }, { info: () => undefined, warn: () => undefined });
  folder = await mkdtemp(join(tmpdir(), 'millwright-registry-'));
  const source = join(folder, 'source');
  await cp(join(plant.directory, 'models', NAME), source, { recursive: true });
  const manifest = await readFile(join(source, 'manifest.json'), 'utf8');
  await writeFile(join(source, 'manifest.json'), manifest.replace('"1.2.3"', '"2"'));
  const added = await new ObjectFolder(join(folder, 'registry')).add(source, undefined);
  registered = { packageSha256: added.sha256, manifest: added.manifest };
});
afterAll(async () => {
  await models.close();
  await remove();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  said = [];
  log = openEmbeddedLog(':memory:');
  await log.createTopics(topicSpecs(3));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  await log.close();
});

const change = (changes: Partial<Change>): Change => ({
  name: NAME, version: '2', stage: 'candidate', revision: 1, id: 'x', by: 'Ada', reason: 'x', changedUs: 0, effectiveUs: 0, share: 0, rollback: false, packageSha256: '', signedBy: '', manifest: '', ...changes,
});
const write = (...changes: readonly Partial<Change>[]): Promise<void> => log.append(changes.map((each) => changeRecord(change(each), 3)));

async function opened(): Promise<OpenRegistry> {
  const warn = (_: object, message: string): void => void said.push(message);
  const registry = await openRegistry({ plant, log, logger: { info: () => undefined, warn }, folder: join(folder, 'registry'), trustedKeysFile: undefined, engine: models.engine, scheduler: models.scheduler, nowUs: () => 0 });
  open.push(registry);
  return registry;
}
const acting = ({ versions }: OpenRegistry, endUs: number): string | undefined => versions.at(NAME, 'P1', endUs).acting?.model.manifest.version;

/** Resolves when `holds` does, asked after each turn of the loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('registry of models.v1', () => {
  it('has at its start all that the log has, and follows it from then on', async () => {
    await write(registered, { revision: 2, stage: 'production', effectiveUs: 100 });
    const registry = await opened();
    expect([100, 101].map((us) => acting(registry, us))).toEqual([undefined, '2']);
    await write({ revision: 3, version: '', stage: 'production', rollback: true, effectiveUs: 200 });
    await until(() => acting(registry, 201) === undefined);
    expect([100, 101, 200, 201].map((us) => acting(registry, us))).toEqual([undefined, '2', '2', undefined]);
  });

  it('takes the first of two changes that were made at the same time, and says that the other has no effect', async () => {
    await write(registered, { revision: 2, stage: 'production', id: 'first', effectiveUs: 100 }, { revision: 2, stage: 'retired', id: 'second', effectiveUs: 100 });
    expect(acting(await opened(), 101)).toBe('2');
    expect(said).toEqual([`a change of the registry has no effect: Someone else changed ${NAME} at the same time (revision 2): look at its history and try again.`]);
  });

  it('says when a change came after windows that it is for', async () => {
    await write(registered);
    const registry = await opened();
    acting(registry, 500);
    await write({ revision: 2, stage: 'production', effectiveUs: 100 });
    await until(() => said.length > 0);
    expect(said).toEqual([`the change of ${NAME} came when windows that it is for had been judged: a replay judges those otherwise`]);
  });

  it('starts not without what is to judge', async () => {
    await write(registered, { revision: 2, stage: 'production' });
    await rename(join(folder, 'registry'), join(folder, 'away'));
    await expect(opened()).rejects.toMatchObject({ name: 'ModelPackageError', badInput: true });
    await rename(join(folder, 'away'), join(folder, 'registry'));
    expect(acting(await opened(), 1)).toBe('2');
  });

  it('lets windows wait for a package that is not there yet', async () => {
    await write(registered);
    const registry = await opened();
    await rename(join(folder, 'registry'), join(folder, 'away'));
    await write({ revision: 2, stage: 'production' });
    await until(() => acting(registry, 1) === '2');
    const { acting: version } = registry.versions.at(NAME, 'P1', 1);
    const answer = version!.run(new Float32Array(version!.model.width), 'alarm');
    await until(() => said.some((each) => each.includes('its windows wait')));
    await rename(join(folder, 'away'), join(folder, 'registry'));
    expect((await answer)[0]).toHaveLength(3);
  });

  it('keeps each change under a key of its own, those of a model in one partition', async () => {
    const records = [1, 2, 3].map((revision) => changeRecord(change({ revision, id: `id${revision}` }), 3));
    expect(new Set(records.map(({ key }) => key)).size).toBe(3);
    expect(new Set(records.map(({ partition }) => partition)).size).toBe(1);
    expect(TOPICS.models.compacted).toBe(true);
  });
});
