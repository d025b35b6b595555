import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PlantFileError, parsePlant } from './index.js';

const path = join(import.meta.dirname, '../../../plants/demo/plant.yaml');
const text = readFileSync(path, 'utf8');
const edit = fc.record({ at: fc.nat(text.length), drop: fc.nat(40), put: fc.oneof(fc.constantFrom('', ':', '-', '{', ']', '&a', '*a', '\t', '\n', '"', '#', '~', '1e999', '-0'), fc.string({ maxLength: 6 })) });

describe('a plant file with things changed', () => {
  it('is read, or refused with file and line of each problem', () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const changed = edits.reduce((of, { at, drop, put }) => of.slice(0, at) + put + of.slice(at + drop), text);
        try {
          expect(parsePlant(changed, path).assets).toBeInstanceOf(Map);
        } catch (error) {
          expect(error).toBeInstanceOf(PlantFileError);
          expect((error as Error).message).toMatch(/^\S+plant\.yaml:\d+: \S/);
        }
      }),
      { numRuns: 60, examples: [[[{ at: 4286, drop: 0, put: '*a' }]]] },
    );
  });
});
