import type { StateCodec } from '@millwright/streams';
import type { History, HistoryWindow } from './history.js';

export const STATE_VERSION = 1;

/** State of an asset: the history of each model, by the id of its judge. */
export type InferenceState = Map<string, History>;

interface Header {
  readonly model: string;
  readonly features: number;
  readonly starts: readonly number[];
  /** By window; left out where none has one, as all of releases that had no filter. */
  readonly beliefs?: readonly (readonly number[] | null)[];
}

/**
 * State of an asset as bytes: the length of a JSON text (uint32), the text with models and window starts, padding to 4
 * bytes, then all features in order as float32; little-endian throughout.
 */
export const stateCodec: StateCodec<InferenceState> = {
  encode(state) {
    const header: Header[] = [...state].map(([model, { windows }]) => ({
      model,
      features: windows[0]?.features.length ?? 0,
      starts: windows.map(({ startUs }) => startUs),
      ...(windows.some(({ belief }) => belief !== undefined) ? { beliefs: windows.map(({ belief }) => (belief === undefined ? null : [...belief])) } : {}),
    }));
    const text = new TextEncoder().encode(JSON.stringify(header));
    const start = valuesStart(text.length);
    const count = header.reduce((sum, { features, starts }) => sum + features * starts.length, 0);
    const bytes = new Uint8Array(start + count * 4);
    new DataView(bytes.buffer).setUint32(0, text.length, true);
    bytes.set(text, 4);
    const values = new Float32Array(bytes.buffer, start);
    let at = 0;
    for (const { windows } of state.values()) {
      for (const { features } of windows) {
        values.set(features, at);
        at += features.length;
      }
    }
    return bytes;
  },

  decode(bytes, version) {
    if (version !== STATE_VERSION) {
      throw new Error(`inference state: version ${version} is not ${STATE_VERSION}, the one known here: run the release that wrote it, or drop the checkpoint to rebuild it from the log`);
    }
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Header[];
    const values = new Float32Array(bytes.slice(valuesStart(length)).buffer);
    const count = header.reduce((sum, { features, starts }) => sum + features * starts.length, 0);
    if (count !== values.length) throw new Error(`inference state: it has ${values.length} values where ${count} belong`);
    let at = 0;
    return new Map(
      header.map(({ model, features, starts, beliefs }) => {
        const windows = starts.map((startUs, i): HistoryWindow => {
          const belief = beliefs?.[i] ?? undefined;
          return { startUs, features: values.slice(at, (at += features)), ...(belief === undefined ? {} : { belief: Float64Array.from(belief) }) };
        });
        return [model, { windows }];
      }),
    );
  },
};

const valuesStart = (textLength: number): number => Math.ceil((4 + textLength) / 4) * 4;
