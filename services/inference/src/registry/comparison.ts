import { ShadowFailure, type InferenceResult, type ShadowComparison, type ShadowResult } from '@millwright/contracts';

/** What shadows answered beside production, added up: one a pair of versions, in the order in which they were first seen. */
export class Comparisons {
  readonly #pairs = new Map<string, Pair>();

  /** Takes a result; one that names no shadow says nothing. */
  add({ shadow, production, failure }: ShadowResult): void {
    if (shadow === undefined) return;
    const id = `${shadow.modelVersion}\0${production?.modelVersion ?? ''}`;
    let pair = this.#pairs.get(id);
    if (pair === undefined) this.#pairs.set(id, (pair = new Pair(shadow.modelVersion, production?.modelVersion ?? '')));
    if (failure === ShadowFailure.UNSPECIFIED) pair.add(shadow, production);
    else pair.fail();
  }

  list(): ShadowComparison[] {
    return [...this.#pairs.values()].map((pair) => pair.message());
  }
}

class Pair {
  #windows = 0;
  #alone = 0;
  #failures = 0;
  #agreements = 0;
  #sum = 0;
  #largest = 0;
  readonly #confusion = new Map<string, { production: string; shadow: string; windows: number }>();

  constructor(
    readonly version: string,
    readonly productionVersion: string,
  ) {}

  add(shadow: InferenceResult, production: InferenceResult | undefined): void {
    const compared = production === undefined ? undefined : compare(shadow, production);
    if (compared === undefined) {
      this.#alone++;
      return;
    }
    const { agree, difference, said } = compared;
    this.#windows++;
    if (agree) this.#agreements++;
    this.#sum += difference;
    this.#largest = Math.max(this.#largest, difference);
    if (said === undefined) return;
    const [first, second] = said;
    const cell = this.#confusion.get(`${first}\0${second}`) ?? { production: first, shadow: second, windows: 0 };
    cell.windows++;
    this.#confusion.set(`${first}\0${second}`, cell);
  }

  fail(): void {
    this.#failures++;
  }

  message(): ShadowComparison {
    return {
      version: this.version,
      productionVersion: this.productionVersion,
      windows: this.#windows,
      alone: this.#alone,
      failures: this.#failures,
      agreements: this.#agreements,
      confusion: [...this.#confusion.values()].sort((a, b) => b.windows - a.windows),
      meanAbsoluteDifference: this.#windows === 0 ? 0 : this.#sum / this.#windows,
      largestDifference: this.#largest,
    };
  }
}

interface Compared {
  readonly agree: boolean;
  readonly difference: number;
  /** What production said, and the shadow. */
  readonly said: readonly [string, string] | undefined;
}

/** Undefined where the two are of different tasks. What is compared is said at ShadowComparison. */
export function compare({ result: shadow }: InferenceResult, { result: production }: InferenceResult): Compared | undefined {
  if (shadow?.$case === 'diagnosis' && production?.$case === 'diagnosis') {
    const { label, confidence } = production.value;
    const same = shadow.value.probabilities.find((each) => each.label === label)?.probability ?? 0;
    return { agree: shadow.value.label === label, difference: Math.abs(confidence - same), said: [label, shadow.value.label] };
  }
  if (shadow?.$case === 'regression' && production?.$case === 'regression') {
    const [a, b] = [shadow.value, production.value];
    const within = (value: number, { lower, upper }: { lower: number; upper: number }): boolean => value >= lower && value <= upper;
    return { agree: within(a.value, b) && within(b.value, a), difference: Math.abs(a.value - b.value), said: undefined };
  }
  if (shadow?.$case === 'anomaly' && production?.$case === 'anomaly') {
    const said = ({ score, limit }: { score: number; limit: number }): string => (score > limit ? 'anomalous' : 'normal');
    const [a, b] = [shadow.value, production.value];
    return { agree: said(a) === said(b), difference: Math.abs(a.score / a.limit - b.score / b.limit), said: [said(b), said(a)] };
  }
  return undefined;
}
