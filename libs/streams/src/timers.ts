/** A timer that is due. */
export interface Due {
  readonly timeUs: number;
  readonly key: string;
}

const before = (a: Due, b: Due): boolean => a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.key < b.key);

/** At most one timer a key, in the order of due time, then key: a binary heap whose outdated entries are skipped. */
export class Timers {
  readonly #times = new Map<string, number>();
  #heap: Due[] = [];

  /** Replaces the key's timer; Infinity removes it. */
  set(key: string, timeUs: number): void {
    if (timeUs === Infinity) {
      this.#times.delete(key);
      return;
    }
    if (this.#times.get(key) === timeUs) return;
    this.#times.set(key, timeUs);
    if (this.#heap.length > 2 * this.#times.size + 64) this.#rebuild();
    else this.#push({ timeUs, key });
  }

  /** Takes the earliest timer that is due at `timeUs`. */
  take(timeUs: number): Due | undefined {
    for (let top = this.#heap[0]; top !== undefined && top.timeUs <= timeUs; top = this.#heap[0]) {
      this.#pop();
      if (this.#times.get(top.key) !== top.timeUs) continue;
      this.#times.delete(top.key);
      return top;
    }
    return undefined;
  }

  /** Key and time of each, in a stable order. */
  entries(): [string, number][] {
    return [...this.#times].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #rebuild(): void {
    this.#heap = [];
    for (const [key, timeUs] of this.#times) this.#push({ timeUs, key });
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (!before(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}
