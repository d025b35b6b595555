import type { Refusal } from '@millwright/contracts';

/** Problems told of one record at most: the rest of a bad block is seldom worth reading. */
const MAX_PROBLEMS = 4;

/** Collects what is wrong with one record. */
export class Problems {
  readonly refusals: Refusal[] = [];

  /** @param path of the record in its request, for example "blocks[2]"; empty for the request itself */
  constructor(private readonly path: string) {}

  add(field: string, reason: string, description: string): void {
    if (this.refusals.length < MAX_PROBLEMS) this.refusals.push({ field: [this.path, field].filter((part) => part !== '').join('.'), reason, description });
  }
}

/** Text from outside, short enough for a message and without line breaks. */
export const quoted = (text: string): string => JSON.stringify(text.length <= 64 ? text : `${text.slice(0, 61)}...`);
