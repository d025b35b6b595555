import { describe, expect, it } from '@jest/globals';
import { Random } from '@millwright/learning';
import { fitFilter } from './fit-filter.js';

const CLASSES = 3;
const ROWS = 40;
const STRETCHES = 60;

/** Stretches of one class each; a model names it in so many of a hundred windows, each the same so many times over, as windows that overlap are. */
function judgements(right: number, repeated: number) {
  const random = new Random(3);
  const probabilities = new Float64Array(STRETCHES * ROWS * CLASSES);
  const classes = new Int32Array(STRETCHES * ROWS);
  const stretches = new Int32Array(STRETCHES * ROWS);
  let said = 0;
  for (let row = 0; row < classes.length; row++) {
    stretches[row] = Math.floor(row / ROWS);
    classes[row] = stretches[row]! % CLASSES;
    if (row % repeated === 0) said = random.uniform() < right ? classes[row]! : Math.floor(CLASSES * random.uniform());
    for (let i = 0; i < CLASSES; i++) probabilities[row * CLASSES + i] = i === said ? right + (1 - right) / CLASSES : (1 - right) / CLASSES;
  }
  return { probabilities, classes, stretches };
}

describe('the filter that is fitted', () => {
  it('believes a window the less, the more of its rows others have too', () => {
    const evidence = [1, 4, 10].map((repeated) => fitFilter(judgements(0.5, repeated), 0, [1, 1, 1], 0.01).evidence);
    expect(evidence[0]).toBeGreaterThan(evidence[1]!);
    expect(evidence[1]).toBeGreaterThan(evidence[2]!);
    expect(evidence[0]).toBeGreaterThanOrEqual(0.7);
  });
});
