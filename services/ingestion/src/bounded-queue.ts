/** First in, first out, of bounded length, between one producer and one consumer. */
export class BoundedQueue<T> {
  readonly #items: T[] = [];
  #ended = false;
  #abandoned = false;
  #wakeProducer: (() => void) | undefined;
  #wakeConsumer: (() => void) | undefined;

  constructor(private readonly limit: number) {}

  /** Resolves when there is room for one more item, or when the consumer has left: false then. */
  async room(): Promise<boolean> {
    while (this.#items.length >= this.limit && !this.#abandoned) await new Promise<void>((resolve) => (this.#wakeProducer = resolve));
    return !this.#abandoned;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wakeConsumer?.();
  }

  /** No more items come. */
  end(): void {
    this.#ended = true;
    this.#wakeConsumer?.();
  }

  /** Items until the producer ends; leaving the loop tells the producer. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        while (this.#items.length > 0) {
          const item = this.#items.shift()!;
          this.#wakeProducer?.();
          yield item;
        }
        if (this.#ended) return;
        await new Promise<void>((resolve) => (this.#wakeConsumer = resolve));
      }
    } finally {
      this.#abandoned = true;
      this.#wakeProducer?.();
    }
  }
}
