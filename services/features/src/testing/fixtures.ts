import { Encoding, FeatureVector, packFloat32, packFloat64, TelemetryBlock, TOPICS, unpackFloat64 } from '@millwright/contracts';
import { parsePlant, type Plant } from '@millwright/plant';
import { FeatureExtractor } from '@millwright/signal';
import type { Emission, PureRecord } from '@millwright/streams';

/** For the tests of this package: a plant of two tanks with a fast and a slow signal, and a pump. */
export function plantOf(window: string): Plant {
  return parsePlant(
    `
name: test
enterprise: Test
sites:
  S:
    areas:
      A:
        lines:
          L:
            units:
              T-1: { kind: tank }
              T-2: { kind: tank }
              P-1: { kind: pump }
kinds:
  tank:
    window: ${window}
    signals:
      level: { unit: m, rate: 10, range: [-1000, 1000], nan: missing }
      temperature: { unit: degC, rate: 2, range: [-1000, 1000] }
  pump:
    window: ${window}
    signals:
      vibration: { unit: g, rate: 12000, range: [-1000, 1000] }
`,
    '/plants/test/plant.yaml',
  );
}

export interface BlockSpec {
  readonly asset?: string;
  readonly startUs: number;
  readonly intervalUs?: number;
  readonly offsetsUs?: readonly number[];
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly float64?: boolean;
}

export function block({ asset = 'T-1', startUs, intervalUs = 100_000, offsetsUs, values, float64 = false }: BlockSpec): PureRecord {
  const message = TelemetryBlock.fromPartial({
    source: 'test',
    asset,
    startUs,
    intervalUs: offsetsUs ? 0 : intervalUs,
    count: Object.values(values)[0]?.length ?? 0,
    ...(offsetsUs ? { offsetsUs: packFloat64(Float64Array.from(offsetsUs)) } : {}),
    signals: Object.entries(values).map(([signal, samples]) => ({
      signal,
      encoding: float64 ? Encoding.FLOAT64 : Encoding.FLOAT32,
      values: float64 ? packFloat64(Float64Array.from(samples)) : packFloat32(Float32Array.from(samples)),
    })),
  });
  return { key: asset, value: TelemetryBlock.encode(message).finish(), timeMs: Math.floor(startUs / 1000), schema: TOPICS.telemetry.schema };
}

/** A published window with its values by name. */
export interface ReadWindow {
  readonly vector: FeatureVector;
  readonly startUs: number;
  readonly revision: number;
  value(feature: string): number;
}

/** The windows among what was published. */
export function windowsOf(emissions: readonly Emission[], plant: Plant): ReadWindow[] {
  return emissions
    .filter(({ topic }) => topic === TOPICS.features.name)
    .map(({ value }) => {
      const vector = FeatureVector.decode(value);
      const { names } = new FeatureExtractor(plant.kinds.get(vector.kind)!);
      const values = unpackFloat64(vector.values);
      return { vector, startUs: vector.windowStartUs, revision: vector.revision, value: (feature) => values[names.indexOf(feature)]! };
    });
}
