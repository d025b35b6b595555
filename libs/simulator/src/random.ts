/** Seeded random numbers (sfc32 of PractRand) whose whole state can be taken and put back. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  /** Second normal deviate of the last pair; NaN where it was used. */
  #spare = NaN;

  /** Streams of different names are independent. */
  constructor(seed: number, stream: string) {
    this.#a = seed | 0;
    this.#b = fnv1a(stream, 0x811c9dc5);
    this.#c = fnv1a(stream, this.#b ^ seed);
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (this.#next() / 0x1_0000_0000) * (high - low);
  }

  /** Normal with mean 0 and standard deviation 1 (Marsaglia's polar method). */
  normal(): number {
    if (!Number.isNaN(this.#spare)) {
      const spare = this.#spare;
      this.#spare = NaN;
      return spare;
    }
    for (;;) {
      const u = this.#next() / 0x8000_0000 - 1;
      const v = this.#next() / 0x8000_0000 - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = v * scale;
      return u * scale;
    }
  }

  get state(): readonly (number | null)[] {
    return [this.#a, this.#b, this.#c, this.#counter, Number.isNaN(this.#spare) ? null : this.#spare];
  }

  set state([a, b, c, counter, spare]: readonly (number | null)[]) {
    this.#a = a ?? 0;
    this.#b = b ?? 0;
    this.#c = c ?? 0;
    this.#counter = counter ?? 0;
    this.#spare = spare ?? NaN;
  }

  /** Whole number in [0, 2^32). */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
