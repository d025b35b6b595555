import { createRequire } from 'node:module';

interface Coordinated {
  readonly groupId: string;
  readonly coordinatorType?: number;
}

interface Found {
  readonly coordinator: { readonly nodeId: number | string };
}

interface ClusterClass {
  readonly prototype: { findGroupCoordinatorMetadata(this: object, of: Coordinated): Promise<Found> };
}

/** How long an answer is believed. A coordinator that has moved refuses requests, and those are tried again for longer than this. */
const BELIEVED_MS = 1_000;

/**
 * Has kafkajs remember for a second which broker coordinates a group or a transactional id: it asks before every request of a
 * transaction, so that four of the nine round trips of a commit are that question.
 */
export function rememberCoordinators(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/cluster') as ClusterClass;
  if (Object.hasOwn(prototype, PATCHED)) return;
  Object.defineProperty(prototype, PATCHED, { value: true });
  const original = prototype.findGroupCoordinatorMetadata;
  const answers = new WeakMap<object, Map<string, { readonly found: Found; readonly atMs: number }>>();
  prototype.findGroupCoordinatorMetadata = async function (of): Promise<Found> {
    let known = answers.get(this);
    if (known === undefined) answers.set(this, (known = new Map()));
    const key = `${of.coordinatorType ?? 0}/${of.groupId}`;
    const answer = known.get(key);
    if (answer !== undefined && performance.now() - answer.atMs < BELIEVED_MS) return answer.found;
    known.delete(key);
    const found = await original.call(this, of);
    known.set(key, { found, atMs: performance.now() });
    return found;
  };
}

const PATCHED = Symbol.for('millwright.kafkajs.coordinators');
