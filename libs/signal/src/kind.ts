/** What the features of an asset kind depend on. The AssetKind of a plant file satisfies it. */
export interface FeatureKind {
  readonly name: string;
  /** Length of a window in microseconds. */
  readonly window: { readonly lengthUs: number };
  readonly signals: readonly FeatureSignal[];
}

export interface FeatureSignal {
  readonly name: string;
  /** Nominal samples per second. */
  readonly rateHz: number;
  readonly spectrum?: SpectrumBands;
  readonly envelope?: EnvelopeBand;
}

export interface SpectrumBands {
  /** n + 1 ascending edges in Hz make n bands. */
  readonly bandsHz: readonly number[];
  /** Number of dominant frequencies. */
  readonly peaks: number;
}

export interface EnvelopeBand {
  /** Band around the resonance that is demodulated, Hz. */
  readonly bandHz: readonly [number, number];
  /** Name of the signal with the shaft speed in rpm. */
  readonly speedSignal: string;
  /** Characteristic orders (multiples of shaft speed) by name. */
  readonly orders: Readonly<Record<string, number>>;
  /** Harmonics added up per characteristic frequency. */
  readonly harmonics: number;
}

/** Samples of a signal that a window of this length holds: at least 1. */
export function expectedSamples(kind: FeatureKind, signal: FeatureSignal): number {
  return Math.max(1, Math.round((kind.window.lengthUs / 1e6) * signal.rateHz));
}
