import type { VersionSource } from './version.js';
import { judgeOf, type Bench, type Judge } from './judge.js';

/** Who judges a window for one model. */
export interface Seats {
  /** The one that is acted on. */
  readonly acting: Judge;
  readonly shadows: readonly Judge[];
}

/** Seats the judges of one asset kind by event time. */
export class Panel {
  readonly bench: Bench;
  readonly #versions: VersionSource;
  /** As it is without the registry. */
  readonly #packaged: readonly Seats[];
  /** By the directory of its package, in which one version lies. */
  readonly #judges = new Map<string, Judge>();

  constructor(bench: Bench, versions: VersionSource) {
    this.bench = bench;
    this.#versions = versions;
    this.#packaged = bench.judges.map((acting) => ({ acting, shadows: [] }));
  }

  /** Of a window that ends at `endUs`; one for each model of the kind, in the order of the plant file. The same array where the registry has nothing to say. */
  seats(asset: string, endUs: number): readonly Seats[] {
    const inForce = this.bench.judges.map(({ version: { model } }) => this.#versions.at(model.manifest.name, asset, endUs));
    if (inForce.every(({ acting, shadows }) => acting === undefined && shadows.length === 0)) return this.#packaged;
    return inForce.map(({ acting, shadows }, i) => ({
      acting: acting === undefined ? this.bench.judges[i]! : this.#judge(acting),
      shadows: shadows.map((each) => this.#judge(each)),
    }));
  }

  #judge(version: Judge['version']): Judge {
    const { directory } = version.model;
    let judge = this.#judges.get(directory);
    if (judge === undefined) this.#judges.set(directory, (judge = judgeOf(this.bench, version)));
    return judge;
  }
}
