/** fft.js 4.0.4 ships no types; these are the parts used here. Complex arrays are interleaved: re, im, re, im. */
declare module 'fft.js' {
  export default class FFT {
    /** @param size a power of two, at least 2 */
    constructor(size: number);
    readonly size: number;
    /** Spectrum of `size` real samples: bins 0 to size / 2 of `out` (2 * size numbers) are filled. */
    realTransform(out: Float64Array, data: Float64Array): void;
    /** Inverse transform of `size` complex numbers, divided by size. */
    inverseTransform(out: Float64Array, data: Float64Array): void;
  }
}
