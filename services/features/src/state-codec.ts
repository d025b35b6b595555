import type { StateCodec } from '@millwright/streams';
import type { Run } from './run.js';
import { PublishedWindows } from './published-windows.js';
import { SampleBuffer } from './sample-buffer.js';
import type { AssetWindows } from './state.js';

export const STATE_VERSION = 1;

/** What is no sample; null stands for an infinite time, which JSON has not. */
interface Header {
  readonly spec: string;
  readonly clockUs: number | null;
  readonly beginUs: number | null;
  readonly timerUs: number | null;
  readonly signals: readonly SignalHeader[];
  /** Index, revision, 1 where empty. */
  readonly published: readonly (readonly [number, number, 0 | 1])[];
  readonly latestBytes: number | null;
}

interface SignalHeader {
  readonly lastUs: number | null;
  /** Origin, interval, first, count of regular runs; count alone of irregular ones, whose times follow in the arrays. */
  readonly runs: readonly (readonly [number, number, number, number] | readonly [number])[];
  readonly width: 4 | 8;
}

const finite = (timeUs: number): number | null => (Number.isFinite(timeUs) ? timeUs : null);
const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/**
 * State of an asset as bytes: the length of a JSON text (uint32), the text (Header), then arrays, each at a multiple of 8:
 * per signal its values and the times of its irregular runs, per published window its means, and the latest vector.
 * Little-endian throughout.
 */
export const stateCodec: StateCodec<AssetWindows> = {
  encode(state) {
    const arrays: (Float32Array | Float64Array | Uint8Array)[] = [];
    const signals = state.signals.map(({ buffer, lastUs }): SignalHeader => {
      const { runs, values } = buffer.contents();
      arrays.push(values);
      return {
        lastUs: finite(lastUs),
        width: values instanceof Float32Array ? 4 : 8,
        runs: runs.map(({ originUs, intervalUs, times, first, count }) => {
          if (times === undefined) return [originUs, intervalUs, first, count];
          arrays.push(times.subarray(first, first + count));
          return [count];
        }),
      };
    });
    const published = Array.from({ length: state.published.length }, (_, at): Header['published'][number] => {
      arrays.push(state.published.means(at));
      return [state.published.index(at), state.published.revision(at), state.published.isEmpty(at) ? 1 : 0];
    });
    if (state.latest !== undefined) arrays.push(state.latest);
    const header: Header = {
      spec: state.spec,
      clockUs: finite(state.clockUs),
      beginUs: finite(state.beginUs),
      timerUs: finite(state.timerUs),
      signals,
      published,
      latestBytes: state.latest?.length ?? null,
    };
    const text = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(arrays.reduce((sum, array) => sum + aligned(array.byteLength), aligned(4 + text.length)));
    new DataView(bytes.buffer).setUint32(0, text.length, true);
    bytes.set(text, 4);
    let at = aligned(4 + text.length);
    for (const array of arrays) {
      bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
      at += aligned(array.byteLength);
    }
    return bytes;
  },

  decode(bytes, version) {
    if (version !== STATE_VERSION) {
      throw new Error(`features state: version ${version} is not ${STATE_VERSION}, the one known here: run the release that wrote it, or drop the checkpoint to rebuild it from the log`);
    }
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Header;
    let at = bytes.byteOffset + aligned(4 + length);
    /** A copy of the next array: bytes may be unaligned, and belong to the caller. */
    const next = (byteLength: number): ArrayBuffer => {
      const from = at - bytes.byteOffset;
      if (!(byteLength >= 0 && from + byteLength <= bytes.length)) throw new Error('features state: it ends too early');
      at += aligned(byteLength);
      return bytes.slice(from, from + byteLength).buffer as ArrayBuffer;
    };
    const signals = header.signals.map(({ lastUs, runs, width }) => {
      const stored = next(width * runs.reduce((sum, run) => sum + (run[3] ?? run[0]), 0));
      const values = width === 4 ? new Float32Array(stored) : new Float64Array(stored);
      const restored = runs.map((run): Run => {
        if (run.length === 4) return { originUs: run[0], intervalUs: run[1], first: run[2], count: run[3] };
        return { originUs: 0, intervalUs: 0, first: 0, count: run[0], times: new Float64Array(next(run[0] * 8)) };
      });
      return { buffer: SampleBuffer.of({ runs: restored, values }), lastUs: lastUs ?? -Infinity };
    });
    const published = new PublishedWindows(signals.length);
    for (const [index, revision, empty] of header.published) published.put(index, revision, empty === 1, new Float64Array(next(signals.length * 8)));
    return {
      spec: header.spec,
      clockUs: header.clockUs ?? -Infinity,
      beginUs: header.beginUs ?? Infinity,
      timerUs: header.timerUs ?? Infinity,
      signals,
      published,
      latest: header.latestBytes === null ? undefined : new Uint8Array(next(header.latestBytes)),
    };
  },
};
