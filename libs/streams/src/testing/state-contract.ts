import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CheckpointDelta, StateStore } from '../state.js';
import { unique } from './fixtures.js';

/** A state store under test. */
export interface OpenedStore {
  readonly store: StateStore;
  close(): Promise<void>;
}

function delta(version: number, changed: Record<string, string>, deleted: readonly string[] = []): CheckpointDelta {
  return {
    stateVersion: 3,
    version,
    offsets: { 'a.v1': version, 'b.v1': 0 },
    system: Uint8Array.of(0, 255, version % 256),
    changed: new Map(Object.entries(changed).map(([key, value]) => [key, Buffer.from(value)])),
    deleted,
  };
}

/** What every StateStore must do, whatever it stands on. */
export function describeStateStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} as a state store`, () => {
    let opened: OpenedStore;
    let store: StateStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    const entries = async (task: string): Promise<Record<string, string> | undefined> => {
      const loaded = await store.load(task);
      return loaded && Object.fromEntries([...loaded.entries].sort().map(([key, value]) => [key, Buffer.from(value).toString()]));
    };

    it('knows nothing of a task that never saved', async () => {
      const task = unique('task');
      expect(await store.load(task)).toBeUndefined();
      expect(await store.get(task, 'a')).toBeUndefined();
      expect(await store.healthy()).toBe(true);
    });

    it('gives back exactly what was saved', async () => {
      const task = unique('task');
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const odd = 'Förder:band/{7} ~ü\u0001 ';
      const saved = { ...delta(7, {}), changed: new Map([['a', bytes], [odd, new Uint8Array(0)], ['__proto__', Uint8Array.of(1)]]) };
      expect(await store.save(task, saved, false)).toBe(true);
      const loaded = await store.load(task);
      expect({ ...loaded?.checkpoint, system: [...(loaded?.checkpoint.system ?? [])] }).toEqual({
        stateVersion: 3,
        version: 7,
        offsets: { 'a.v1': 7, 'b.v1': 0 },
        system: [0, 255, 7],
      });
      expect(new Map([...(loaded?.entries ?? [])].map(([key, value]) => [key, [...value]]))).toEqual(
        new Map([['a', [...bytes]], [odd, []], ['__proto__', [1]]]),
      );
      expect([...((await store.get(task, 'a')) ?? [])]).toEqual([...bytes]);
      // A Buffer's slice() is a view on memory that it shares with others, and codecs take it for a copy.
      for (const each of [loaded?.entries.get('a'), await store.get(task, 'a')]) expect(each?.slice(2, 4).buffer.byteLength).toBe(2);
    });

    it('applies what changed and leaves the rest', async () => {
      const task = unique('task');
      await store.save(task, delta(1, { a: 'a1', b: 'b1', c: 'c1' }), false);
      await store.save(task, delta(2, { b: 'b2', d: 'd2' }, ['c', 'never there']), false);
      expect(await entries(task)).toEqual({ a: 'a1', b: 'b2', d: 'd2' });
      expect((await store.load(task))?.checkpoint.version).toBe(2);
      expect(await store.get(task, 'c')).toBeUndefined();
    });

    it('drops all earlier entries when told to replace', async () => {
      const task = unique('task');
      await store.save(task, delta(1, { a: 'a1', b: 'b1' }), false);
      await store.save(task, delta(2, { b: 'b2' }), true);
      expect(await entries(task)).toEqual({ b: 'b2' });
    });

    it('refuses an older version and keeps what it has', async () => {
      const task = unique('task');
      await store.save(task, delta(5, { a: 'new' }), false);
      expect(await store.save(task, delta(4, { a: 'zombie', z: 'zombie' }, ['a']), false)).toBe(false);
      expect(await store.save(task, delta(4, { z: 'zombie' }), true)).toBe(false);
      expect(await entries(task)).toEqual({ a: 'new' });
      expect((await store.load(task))?.checkpoint.version).toBe(5);
      expect(await store.save(task, delta(5, { a: 'same version' }), false)).toBe(true);
      expect(await entries(task)).toEqual({ a: 'same version' });
    });

    it('keeps tasks apart', async () => {
      const [one, two] = [unique('task'), unique('task')];
      await store.save(one, delta(9, { a: 'one' }), false);
      await store.save(two, delta(1, { a: 'two' }), true);
      expect(await entries(one)).toEqual({ a: 'one' });
      expect(await entries(two)).toEqual({ a: 'two' });
    });

    it('is atomic: a load beside saves sees one of them whole', async () => {
      const task = unique('task');
      const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
      await store.save(task, delta(0, Object.fromEntries(keys.map((key) => [key, '0']))), false);
      const saving = (async () => {
        for (let version = 1; version <= 20; version++) {
          await store.save(task, delta(version, Object.fromEntries(keys.map((key) => [key, `${version}`]))), version % 5 === 0);
        }
      })();
      for (let i = 0; i < 20; i++) {
        const loaded = await store.load(task);
        const values = new Set([...(loaded?.entries.values() ?? [])].map((value) => Buffer.from(value).toString()));
        expect([...values]).toEqual([`${loaded?.checkpoint.version}`]);
        expect(loaded?.entries.size).toBe(50);
      }
      await saving;
    });

    it('holds thousands of entries of some kilobytes', async () => {
      const task = unique('task');
      const value = new Uint8Array(2_000).fill(42);
      await store.save(task, { ...delta(1, {}), changed: new Map(Array.from({ length: 2_000 }, (_, i) => [`asset-${i}`, value])) }, false);
      const loaded = await store.load(task);
      expect(loaded?.entries.size).toBe(2_000);
      expect([...(loaded?.entries.values() ?? [])].every((each) => each.length === 2_000 && each[1_999] === 42)).toBe(true);
    });
  });
}
