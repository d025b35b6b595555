import { Inspection_Result, ProductionRecord } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';

/** Inspections of each motor in a second of event time. */
const PER_SECOND = 20;
const CHARACTERISTICS = ['runout', 'balance'] as const;
const START_US = (Math.floor(Date.now() / 1000) - 3600) * 1_000_000;
/** How far from the usual the last value of a segment is: each chart has something to say at the end. */
const FAR = 50;

/** Records of the inspected motors of a stretch of event time: normal values, in control but for chance. */
export function* inspections(plant: Plant, source: string, fromSecond: number, toSecond: number): Generator<ProductionRecord> {
  let state = fromSecond + 1;
  // Park and Miller's generator: any fixed numbers will do.
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let i = fromSecond * PER_SECOND; i < toSecond * PER_SECOND; i++) {
    for (const asset of plant.assets.keys()) {
      const characteristic = CHARACTERISTICS[i % CHARACTERISTICS.length]!;
      const last = i >= toSecond * PER_SECOND - 2 * CHARACTERISTICS.length;
      yield {
        source, sequence: i + 1, asset,
        timeUs: START_US + Math.round((i / PER_SECOND) * 1e6),
        body: {
          $case: 'inspection',
          value: { unitId: `U-${i}`, characteristic, value: 10 + normal() + (last ? FAR : 0), unit: 'um', result: Inspection_Result.PASS },
        },
      };
    }
  }
}
