import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseManifest } from './manifest.js';

const valid = JSON.parse(readFileSync(join(import.meta.dirname, '../../../plants/demo/models/process-diagnosis/manifest.json'), 'utf8')) as Record<string, unknown>;

/** Paths of all values in it. */
function paths(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  return Object.entries(value).flatMap(([name, each]) => [[...path, name], ...paths(each, [...path, name])]);
}
const places = paths(valid);

describe('a manifest with things changed', () => {
  it('is read, or refused by field', () => {
    expect(parseManifest(valid)).not.toHaveProperty('problem');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...places), fc.jsonValue()), { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = structuredClone(valid);
        for (const [path, value] of changes) {
          const parent = path.slice(0, -1).reduce<unknown>((of, name) => (typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[name] : undefined), changed);
          if (typeof parent === 'object' && parent !== null) (parent as Record<string, unknown>)[path.at(-1)!] = value;
        }
        const parsed = parseManifest(changed);
        if ('problem' in parsed) expect(`${parsed.field}: ${parsed.problem}`).toMatch(/^[^\n]+: [^\n]+$/);
        else expect(parsed.preprocessing.mean).toHaveLength(parsed.input.features.length);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the threshold of the unknown', () => {
  it('is a probability, or not there', () => {
    const read = (unknown: unknown): unknown => {
      const parsed = parseManifest({ ...valid, unknown });
      return 'problem' in parsed ? parsed.field : parsed.task === 'diagnosis' ? parsed.unknown : parsed.task;
    };
    expect(read(undefined)).toBeUndefined();
    expect(read({ threshold: 0.4 })).toEqual({ threshold: 0.4 });
    expect(read({ threshold: 1.1 })).toBe('unknown.threshold');
    expect(read({})).toBe('unknown.threshold');
    expect(read({ threshold: 0.4, limit: 1 })).toBe('unknown');
  });
});
