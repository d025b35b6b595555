import { Inspection_Result, ProductionRecord } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { randomOf } from './random.js';

/** Inspections of each motor in a second of event time. */
const PER_SECOND = 20;
const CHARACTERISTICS = ['runout', 'balance'] as const;
const START_US = (Math.floor(Date.now() / 1000) - 3600) * 1_000_000;
/** How far from the usual the last values of a segment are: each chart has something to say at its end. */
const FAR = 50;

/** Inspections of one second of all motors: normal values, in control but for chance; where the second is the last of its segment, each chart's last point is far out. */
export function* inspections(plant: Plant, source: string, second: number, last: boolean): Generator<ProductionRecord> {
  const uniform = randomOf((second + 1) * 69_621);
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let i = second * PER_SECOND; i < (second + 1) * PER_SECOND; i++) {
    const far = last && i >= (second + 1) * PER_SECOND - CHARACTERISTICS.length;
    for (const asset of plant.assets.keys()) {
      const characteristic = CHARACTERISTICS[i % CHARACTERISTICS.length]!;
      yield {
        source, sequence: i + 1, asset,
        timeUs: START_US + Math.round((i / PER_SECOND) * 1e6),
        body: {
          $case: 'inspection',
          value: { unitId: `U-${i}`, characteristic, value: 10 + normal() + (far ? FAR : 0), unit: 'um', result: Inspection_Result.PASS },
        },
      };
    }
  }
}
