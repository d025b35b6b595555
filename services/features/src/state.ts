import { PublishedWindows } from './published-windows.js';
import { SampleBuffer } from './sample-buffer.js';

/** One signal of an asset. */
export interface SignalTrack {
  buffer: SampleBuffer;
  /** Time of its latest sample, -Infinity before the first. */
  lastUs: number;
}

/** State of one asset. */
export interface AssetWindows {
  /** Hash of what the plant file says of windows and signals of its kind; windows start anew when it changes. */
  spec: string;
  /** How far time has come for this asset: windows that end by then are closed. */
  clockUs: number;
  /** One interval before the first sample: windows that start later are whole. */
  beginUs: number;
  /** The timer that is set, Infinity for none. */
  timerUs: number;
  signals: SignalTrack[];
  /** Those that can be amended, and those that z-scores refer to. */
  published: PublishedWindows;
  /** The last published vector of the newest window, encoded, for the read side. */
  latest: Uint8Array | undefined;
}

export function initialState(spec: string, signals: number): AssetWindows {
  return {
    spec,
    clockUs: -Infinity,
    beginUs: Infinity,
    timerUs: Infinity,
    signals: Array.from({ length: signals }, () => ({ buffer: new SampleBuffer(), lastUs: -Infinity })),
    published: new PublishedWindows(signals),
    latest: undefined,
  };
}
