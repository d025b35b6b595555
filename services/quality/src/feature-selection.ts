/** With more than this share of a signal's samples missing, its features tell more of the gaps than of the process. */
const MOST_MISSING = 0.2;

/** Takes some features out of feature vectors of one layout. */
export class FeatureSelection {
  readonly #parts: readonly { readonly position: number; readonly missingRatios: readonly number[] }[];

  /** @param features names that are all in the layout */
  constructor(layout: readonly string[], features: readonly string[]) {
    this.#parts = features.map((feature) => ({
      position: layout.indexOf(feature),
      missingRatios: signalsOf(feature).map((signal) => layout.indexOf(`${signal}.missing_ratio`)),
    }));
  }

  /** The features in the order asked for; NaN where there is none, or where too many samples of its signal are missing. */
  select(values: Float64Array): Float64Array {
    return Float64Array.from(this.#parts, ({ position, missingRatios }) =>
      missingRatios.some((ratio) => values[ratio]! > MOST_MISSING) ? NaN : values[position]!,
    );
  }
}

/** "temperature.mean" is of temperature, "pressure~flow.xcorr" of pressure and flow. */
export function signalsOf(feature: string): string[] {
  return feature.slice(0, feature.lastIndexOf('.')).split('~');
}
