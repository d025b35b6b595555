import { TOPICS, type TelemetryBlock } from '@millwright/contracts';
import { formatDuration, type AssetKind, type Plant } from '@millwright/plant';
import { PoisonRecordError, type Emission, type Processor } from '@millwright/streams';
import { KindWindows, type SignalSamples, type WindowFeatures } from './kind-windows.js';
import { STATE_VERSION, stateCodec } from './state-codec.js';
import type { AssetWindows } from './state.js';
import { readBlock, runOf, valuesOf } from './telemetry.js';

/** Consumer group, and name of the tasks whose state the read side looks into. */
export const PROCESSOR = 'features';

/**
 * Turns telemetry into the features of event-time windows, as the plant file asks for them; KindWindows says which windows
 * are published and when. A block whose samples all belong to final windows is late as a whole; where only some do, the
 * others are used.
 */
export function createFeaturesProcessor(plant: Plant): Processor<TelemetryBlock, AssetWindows> {
  const kinds = new Map<string, Kind>([...plant.kinds].map(([name, kind]) => [name, { windows: new KindWindows(kind), places: places(kind), graceUs: kind.window.graceUs }]));
  const kindOf = (asset: string): Kind | undefined => kinds.get(plant.assets.get(asset)?.kind.name ?? '');

  return {
    name: PROCESSOR,
    inputs: [TOPICS.telemetry.name],
    outputs: [TOPICS.features.name],
    stateVersion: STATE_VERSION,
    codec: stateCodec,
    decode: (record) => readBlock(record, plant),

    initial(key) {
      const kind = kindOf(key);
      if (kind === undefined) throw new PoisonRecordError(`asset: "${key}" is not in the plant file of ${plant.name}`);
      return kind.windows.initial();
    },

    onRecord(block, state, context) {
      const { windows, places, graceUs } = kindOf(context.key)!;
      windows.renew(state);
      const published: WindowFeatures[] = [];
      const { used, late } = windows.take(context.key, state, runOf(block), samplesOf(block, places), published);
      if (late > 0) {
        const clock = new Date(Math.floor(state.clockUs / 1000)).toISOString();
        context.late(
          `${late} of ${block.count} samples belong to windows of ${context.key} that were final, ${formatDuration(graceUs)} after their end, when time had come to ${clock}; send sooner, or lengthen window.grace`,
          used > 0 ? 'part' : 'whole',
        );
      }
      windows.advance(context.key, state, context.watermarkUs, published);
      setTimer(windows, state, context);
      return published.map((window) => emission(context.key, window));
    },

    onTimer(_, state, context) {
      const kind = kindOf(context.key);
      if (kind === undefined) {
        context.forget();
        return [];
      }
      kind.windows.renew(state);
      state.timerUs = Infinity;
      const published: WindowFeatures[] = [];
      kind.windows.advance(context.key, state, context.watermarkUs, published);
      setTimer(kind.windows, state, context);
      return published.map((window) => emission(context.key, window));
    },
  };
}

interface Kind {
  readonly windows: KindWindows;
  /** Place of each signal in its kind, by name. */
  readonly places: ReadonlyMap<string, number>;
  readonly graceUs: number;
}

const places = (kind: AssetKind): ReadonlyMap<string, number> => new Map(kind.signals.map(({ name }, place) => [name, place]));

/** One after the other, since the values of one are valid until the next. */
function* samplesOf({ signals }: TelemetryBlock, places: Kind['places']): Generator<SignalSamples> {
  for (const values of signals) yield { signal: places.get(values.signal)!, values: valuesOf(values) };
}

function setTimer(windows: KindWindows, state: AssetWindows, context: { setTimer(timeUs: number): void }): void {
  const timerUs = windows.nextCloseUs(state);
  if (timerUs === state.timerUs) return;
  context.setTimer(timerUs);
  state.timerUs = timerUs;
}

const emission = (key: string, { endUs, vector }: WindowFeatures): Emission => ({
  topic: TOPICS.features.name,
  key,
  value: vector,
  timeMs: Math.floor(endUs / 1000),
  schema: TOPICS.features.schema,
});
