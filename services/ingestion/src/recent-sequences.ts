/** Gaps remembered of one sender. */
const MAX_RANGES = 16;

interface Sender {
  /** Closed ranges of sequences that the log has, ascending, neither touching nor overlapping. */
  readonly ranges: [first: number, last: number][];
  /** Sequences on their way to the log. */
  readonly pending: Map<number, Promise<void>>;
}

/**
 * Which sequences of which senders the log has or is about to have, as far as this process remembers: a bounded
 * number of senders, the least recently heard forgotten first. What is forgotten is written once more and dropped by
 * the readers' own check, so forgetting costs space and never data. A sequence counts as known only if it was seen.
 */
export class RecentSequences {
  readonly #senders = new Map<string, Sender>();

  constructor(private readonly maxSenders = 65_536) {}

  /** A settled or pending write of this sequence, or undefined when it is new. */
  known(source: string, asset: string, sequence: number): Promise<void> | undefined {
    const sender = this.#senders.get(key(source, asset));
    if (sender === undefined) return undefined;
    if (sender.ranges.some(([first, last]) => first <= sequence && sequence <= last)) return DONE;
    return sender.pending.get(sequence);
  }

  /** Remembers a sequence once `written` resolves; until then repeats wait for the same promise. */
  add(source: string, asset: string, sequence: number, written: Promise<void>): void {
    const sender = this.#touch(key(source, asset));
    sender.pending.set(sequence, written);
    written.then(
      () => {
        sender.pending.delete(sequence);
        insert(sender.ranges, sequence);
        if (sender.ranges.length > MAX_RANGES) sender.ranges.shift();
      },
      () => sender.pending.delete(sequence),
    );
  }

  #touch(id: string): Sender {
    const sender = this.#senders.get(id) ?? { ranges: [], pending: new Map<number, Promise<void>>() };
    this.#senders.delete(id);
    this.#senders.set(id, sender);
    if (this.#senders.size > this.maxSenders) this.#senders.delete(this.#senders.keys().next().value!);
    return sender;
  }
}

const DONE = Promise.resolve();
const key = (source: string, asset: string): string => `${source}\0${asset}`;

function insert(ranges: [number, number][], sequence: number): void {
  let at = ranges.length;
  while (at > 0 && ranges[at - 1]![0] > sequence) at--;
  const before = ranges[at - 1];
  const after = ranges[at];
  if (before !== undefined && sequence <= before[1]) return;
  const joinsBefore = before !== undefined && before[1] + 1 === sequence;
  const joinsAfter = after !== undefined && after[0] - 1 === sequence;
  if (joinsBefore && joinsAfter) {
    before[1] = after[1];
    ranges.splice(at, 1);
  } else if (joinsBefore) before[1] = sequence;
  else if (joinsAfter) after[0] = sequence;
  else ranges.splice(at, 0, [sequence, sequence]);
}
