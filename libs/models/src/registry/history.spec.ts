import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { emptyHistory, inProduction, recorded, RegistryError, rollbackTarget, type Change, type ModelHistory } from './history.js';
import { isCanaryAsset, productionChangeAt, Timeline } from './in-force.js';

const change = (history: ModelHistory, changes: Partial<Change>): Change => ({
  name: 'life', version: '1', stage: 'candidate', revision: history.changes.length + 1, id: 'x', by: 'Ada', reason: 'better', changedUs: 0,
  effectiveUs: history.changes.at(-1)?.effectiveUs ?? 0, share: 0, rollback: false, packageSha256: '', signedBy: '', manifest: '', ...changes,
});

const register = (version: string): Partial<Change> => ({ version, packageSha256: `sha of ${version}`, manifest: '{}' });

/** Applies changes one after the other, each ten seconds of event time later. */
function play(steps: readonly ((history: ModelHistory) => Partial<Change>)[]): ModelHistory {
  return steps.reduce((history, step, i) => recorded(history, change(history, { effectiveUs: i * 10e6, ...step(history) })), emptyHistory('life'));
}
const rollback = (history: ModelHistory): Partial<Change> => ({ version: rollbackTarget(history), stage: 'production', rollback: true });
const to = (version: string, stage: Change['stage'], share = 0) => (): Partial<Change> => ({ version, stage, share });

describe('history of a model', () => {
  it('retires what was in production in the change that promotes another', () => {
    const history = play([() => register('1'), () => register('2'), to('1', 'production'), to('2', 'production')]);
    expect([...history.versions.values()].map(({ version, stage }) => [version, stage])).toEqual([['1', 'retired'], ['2', 'production']]);
  });

  it('rolls back step by step, to what was there before the registry', () => {
    const promoted = [() => register('1'), () => register('2'), () => register('3'), to('1', 'production'), to('2', 'production'), to('3', 'production')];
    expect(inProduction(play([...promoted, rollback]))).toBe('2');
    expect(inProduction(play([...promoted, rollback, rollback]))).toBe('1');
    const all = play([...promoted, rollback, rollback, rollback]);
    expect(inProduction(all)).toBeUndefined();
    expect(all.changes.at(-1)!.version).toBe('');
    expect(() => rollbackTarget(all)).toThrow('No version of life in the registry is in production: there is nothing to roll back.');
  });

  it.each([
    ['an unknown version', { version: '9', stage: 'shadow' }, 'life has no version 9 (1): register it first.'],
    ['a version registered twice', register('1'), 'life 1 is registered already: a version never changes, give the new package another version.'],
    ['production by hand into retirement', { version: '1', stage: 'retired' }, "life 1 is in production and can't become retired: promote another version, or roll back."],
    ['nobody', { by: ' ' }, 'Nobody stands behind the change of life: say who approves it.'],
    ['no reason', { reason: '' }, 'The change of life has no reason: give one.'],
    ['an earlier time', { ...register('2'), effectiveUs: 0 }, 'The change of life would hold from 1970-01-01T00:00:00.000Z, and the one before holds from 1970-01-01T00:00:10.000Z: give the same time or a later one.'],
    ['a revision that is taken', { ...register('2'), revision: 2 }, 'Someone else changed life at the same time (revision 2): look at its history and try again.'],
  ] as const)('refuses %s in one sentence', (_, changes, message) => {
    const history = play([() => register('1'), to('1', 'production')]);
    expect(() => recorded(history, change(history, changes))).toThrow(new RegistryError(message));
  });

  it('allows one canary, with a share', () => {
    const history = play([() => register('1'), () => register('2'), to('1', 'canary', 0.2)]);
    expect(() => recorded(history, change(history, { version: '2', stage: 'canary', share: 0.1 }))).toThrow('life 1 is the canary already: move it elsewhere first.');
    expect(() => recorded(history, change(history, { version: '1', stage: 'canary', share: 1 }))).toThrow('A canary of life needs a share of the assets above 0 and below 1, not 1: 0.2 is every fifth.');
    expect(recorded(history, change(history, { version: '1', stage: 'canary', share: 0.5 })).versions.get('1')!.share).toBe(0.5);
  });

  it('keeps its promises whatever is tried', () => {
    const version = fc.constantFrom('1', '2', '3', '4');
    const attempt = fc.oneof(
      version.map((each): ((history: ModelHistory) => Partial<Change>) => () => register(each)),
      fc.tuple(version, fc.constantFrom('candidate', 'shadow', 'canary', 'production', 'retired'), fc.constantFrom(0, 0.3)).map(([each, stage, share]) => to(each, stage as Change['stage'], share)),
      fc.constant((history: ModelHistory) => ({ version: history.productions.at(-2) ?? '', stage: 'production' as const, rollback: true })),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(attempt, fc.integer({ min: 0, max: 3 })), { maxLength: 60 }), (attempts) => {
        let history = emptyHistory('life');
        let timeline = Timeline.empty('life');
        let nowUs = 0;
        /** What a clerk with pencil and paper has: who was put in production when, struck out from the end. */
        const paper: string[] = [];
        const log: [number, string | undefined][] = [];
        for (const [attempted, seconds] of attempts) {
          const next = change(history, { effectiveUs: (nowUs += seconds * 1e6), ...attempted(history) });
          const before = JSON.stringify([history.changes, [...history.versions], history.productions]);
          try {
            const after = recorded(history, next);
            timeline = timeline.with(next);
            expect(after.changes).toEqual([...history.changes, next]);
            expect(JSON.stringify([history.changes, [...history.versions], history.productions])).toBe(before);
            history = after;
          } catch (error) {
            expect(error).toBeInstanceOf(RegistryError);
            expect(JSON.stringify([history.changes, [...history.versions], history.productions])).toBe(before);
            expect((error as Error).message).toMatch(/^[^\n]+\.$/);
            continue;
          }
          if (next.rollback) paper.pop();
          else if (next.stage === 'production') paper.push(next.version);
          log.push([next.effectiveUs, paper.at(-1)]);
          const stages = [...history.versions.values()].map(({ stage }) => stage);
          expect(stages.filter((stage) => stage === 'production').length).toBe(paper.length === 0 ? 0 : 1);
          expect(stages.filter((stage) => stage === 'canary').length).toBeLessThanOrEqual(1);
          expect(inProduction(history)).toBe(paper.at(-1));
          if (paper.length > 0) expect(history.versions.get(paper.at(-1)!)!.stage).toBe('production');
          expect([...history.versions.values()].every(({ stage, share }) => share > 0 === (stage === 'canary'))).toBe(true);
        }
        for (let us = 0; us <= nowUs + 1e6; us += 0.5e6) {
          const expected = log.filter(([fromUs]) => fromUs < us).at(-1)?.[1];
          expect(timeline.at(us).production).toBe(expected);
          expect(productionChangeAt(history, us)?.version || undefined).toBe(expected);
        }
        // What was accepted is accepted again: the state is the fold of the changes.
        expect(history.changes.reduce(recorded, emptyHistory('life'))).toEqual(history);
      }),
    );
  });

  it('puts the same assets into a canary each time, and a larger share holds those of a smaller one', () => {
    const assets = Array.from({ length: 5000 }, (_, i) => `P-${i}`);
    const share = (of: number): string[] => assets.filter((asset) => isCanaryAsset('life', asset, of));
    expect(share(0.2).length / assets.length).toBeCloseTo(0.2, 1);
    expect(share(0.2).every((asset) => isCanaryAsset('life', asset, 0.5))).toBe(true);
    // printf 'life/P-7' | sha256sum
    expect(isCanaryAsset('life', 'P-7', SHARE_OF_P7 + 1e-6)).toBe(true);
    expect(isCanaryAsset('life', 'P-7', SHARE_OF_P7)).toBe(false);
  });
});

const SHARE_OF_P7 = 0x5ad43d7a / 2 ** 32;
