import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml';

/** Where in the file something stands: keys and list positions from the top. */
export type Path = readonly (string | number)[];

/** One thing wrong with a plant file. */
export interface PlantFileProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Dotted path of the key, for example `kinds.pump.window.hop`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** Problems that are told of a file, at most: one that is something else than a plant file has hundreds of thousands. */
export const MOST_PROBLEMS = 100;

/** A plant file that can't be used: its problems at once, in the order of the file. */
export class PlantFileError extends Error {
  readonly badInput = true;

  /** @param more problems that are counted and not told */
  constructor(readonly problems: readonly PlantFileProblem[], more = 0) {
    const lines = problems.map(({ file, line, path, message }) => `${file}:${line}: ${path === '' ? '' : `${path}: `}${message}`);
    if (more > 0) lines.push(`${problems[0]!.file}: there are ${more} more problems: mend these first, or give the path of another file.`);
    super(lines.join('\n'));
    this.name = 'PlantFileError';
  }
}

/** Collects problems and finds the line of each in the YAML document. */
export class Problems {
  readonly #found: PlantFileProblem[] = [];
  #more = 0;

  constructor(
    private readonly file: string,
    private readonly document: Document,
    private readonly lines: LineCounter,
  ) {}

  add(path: Path, message: string): void {
    if (this.#found.length === MOST_PROBLEMS) this.#more++;
    else this.#found.push({ file: this.file, line: this.#lineOf(path), path: path.join('.'), message });
  }

  throwIfAny(): void {
    if (this.#found.length > 0) throw new PlantFileError(this.#found.toSorted((a, b) => a.line - b.line), this.#more);
  }

  /** Line of the key at `path`, or of the nearest thing around it that is in the file. */
  #lineOf(path: Path): number {
    let node: unknown = this.document.contents;
    let offset = 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.document);
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
        if (pair === undefined) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        const item = node.items[Number(step)] as Node | undefined;
        if (item === undefined) break;
        offset = item.range?.[0] ?? offset;
        node = item;
      } else break;
    }
    return this.lines.linePos(offset).line;
  }
}
