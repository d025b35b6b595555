import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { RuntimeLogger } from '../runtime.js';
import { CheckpointLostError, type Checkpoint, type CheckpointDelta, type StateStore } from '../state.js';
import { readTls, type TlsFiles } from '../tls.js';
import { SAVE_SCRIPT } from './save-script.js';

/** How to reach a Redis. */
export interface RedisOptions {
  /** redis://host:port, or rediss:// for TLS. */
  readonly url: string;
  /** For rediss:// with an authority or a client certificate of its own; read when the store is opened. */
  readonly tls?: TlsFiles;
  readonly logger: RuntimeLogger;
}

/** Checkpoints in Redis. Connects at once and whenever the connection was lost; calls fail soon while Redis is away. */
export function openRedisStore(options: RedisOptions): StateStore {
  return new RedisStateStore(options);
}

/** How long a call waits for a connection. */
const CONNECT_MS = 3_000;
const COMMAND_MS = 10_000;
const HEALTH_MS = 1_000;
const MAX_RECONNECT_MS = 1_000;
/** Bytes of entries in one command; more go ahead in parts, so that Redis serves others in between. */
const MAX_COMMAND_BYTES = 4_194_304;
/** Entries in one page when a checkpoint is loaded. */
const PAGE = 500;
const STAGED_SECONDS = 600;
/** A checkpoint that is saved while it is loaded is loaded again; owners save seconds apart. */
const MAX_LOADS = 50;

/** The hash tag keeps all keys of a task in one slot of a Redis cluster. */
const keysOf = (task: string): { checkpoint: string; entries: string } => ({
  checkpoint: `millwright:{${task}}:checkpoint`,
  entries: `millwright:{${task}}:entries`,
});

class RedisStateStore implements StateStore {
  readonly #redis: Redis;
  readonly #url: string;
  /**
   * Marks that the stored checkpoint of a task may bear: that of the last load or save, and of saves since that may have taken place.
   * A delta fits on these only; Redis may have lost the others' successor when it restarted or was emptied.
   */
  readonly #marks = new Map<string, string[]>();
  /** The wait for the connection, one for all partitions, of which there may be many. */
  #connecting: Promise<void> | undefined;

  constructor({ url, tls, logger }: RedisOptions) {
    this.#url = url.replace(/\/\/[^@/]*@/, '//');
    this.#redis = new Redis(url, {
      // Nothing is to pile up in memory while Redis is away.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      commandTimeout: COMMAND_MS,
      ...(tls && { tls: readTls(tls) }),
      retryStrategy: (times) => Math.min(50 * times, MAX_RECONNECT_MS),
    });
    let isAway = false;
    this.#redis.on('error', (error: Error) => {
      if (!isAway) logger.warn({ url: this.#url, err: error }, `Redis at ${this.#url} does not answer; it is tried again`);
      isAway = true;
    });
    this.#redis.on('ready', () => {
      if (isAway) logger.info({ url: this.#url }, `Redis at ${this.#url} answers again`);
      isAway = false;
    });
  }

  async load(task: string): Promise<{ checkpoint: Checkpoint; entries: Map<string, Uint8Array> } | undefined> {
    await this.#connected();
    for (let loads = 0; loads < MAX_LOADS; loads++) {
      const loaded = await this.#loadOnce(task);
      if (loaded === 'saved meanwhile') continue;
      this.#marks.set(task, loaded ? [loaded.mark] : []);
      return loaded;
    }
    throw new Error(`The checkpoint of ${task} was saved again each of the ${MAX_LOADS} times that it was loaded: more than one process seems to own it.`);
  }

  async save(task: string, delta: CheckpointDelta, replace: boolean): Promise<boolean> {
    await this.#connected();
    const { checkpoint, entries } = keysOf(task);
    const mark = randomUUID();
    const staged = `millwright:{${task}}:staged:${mark}`;
    const parts = inParts(delta.changed);
    const last = parts.pop() ?? [];
    let stagedCount = 0;
    for (const part of parts) {
      const results = await this.#redis.multi().hset(staged, ...part).expire(staged, STAGED_SECONDS).exec();
      for (const [error] of results ?? []) if (error) throw error;
      stagedCount += part.length / 2;
    }
    const marks = this.#marks.get(task) ?? [];
    this.#marks.set(task, marks.length > 0 ? [...marks.slice(-MAX_UNSURE), mark] : []);
    const offsets = JSON.stringify(delta.offsets);
    const head = [delta.stateVersion, delta.version, offsets, asBuffer(delta.system), mark, replace ? 'replace' : 'update', stagedCount];
    const outcome = await this.#redis.eval(
      SAVE_SCRIPT,
      3,
      checkpoint,
      entries,
      staged,
      ...[...head, marks.length, ...marks, delta.deleted.length, ...delta.deleted, ...last],
    );
    if (outcome === 'LOST') {
      throw new CheckpointLostError(`Redis at ${this.#url} has lost the checkpoint of ${task} that its changes build on: all of its state has to be saved anew.`);
    }
    if (outcome === 'SAVED') this.#marks.set(task, [mark]);
    return outcome === 'SAVED';
  }

  async get(task: string, key: string): Promise<Uint8Array | undefined> {
    await this.#connected();
    const found = await this.#redis.hgetBuffer(keysOf(task).entries, key);
    return found === null ? undefined : plain(found);
  }

  async healthy(): Promise<boolean> {
    const timeout = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => timeout.resolve(false), HEALTH_MS);
    try {
      const answer = this.#redis.ping().then(
        (reply) => reply === 'PONG',
        () => false,
      );
      return await Promise.race([answer, timeout.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    // Commands have been answered; where the connection breaks in the middle of the farewell, it is closed all the same.
    if (this.#isReady) await this.#redis.quit().catch(() => undefined);
    this.#redis.disconnect();
  }

  /** One reading of a checkpoint, page by page; the mark tells whether it was saved in between. */
  async #loadOnce(task: string): Promise<Loaded | undefined | 'saved meanwhile'> {
    const keys = keysOf(task);
    const [fields, page] = await this.#transaction(
      this.#redis.multi().hmgetBuffer(keys.checkpoint, 'stateVersion', 'version', 'offsets', 'system', 'mark').hscanBuffer(keys.entries, 0, 'COUNT', PAGE),
    );
    const [stateVersion, version, offsets, system, mark] = fields as (Buffer | null)[];
    if (!stateVersion || !version || !offsets || !system || !mark) return undefined;
    const entries = new Map<string, Uint8Array>();
    let [cursor, elements] = page as [Buffer, Buffer[]];
    addPage(entries, elements);
    if (cursor.toString() !== '0') {
      do {
        [cursor, elements] = await this.#redis.hscanBuffer(keys.entries, cursor.toString(), 'COUNT', PAGE);
        addPage(entries, elements);
      } while (cursor.toString() !== '0');
      if ((await this.#redis.hget(keys.checkpoint, 'mark')) !== mark.toString()) return 'saved meanwhile';
    }
    return {
      checkpoint: {
        stateVersion: Number(stateVersion.toString()),
        version: Number(version.toString()),
        offsets: JSON.parse(offsets.toString()) as Record<string, number>,
        system: plain(system),
      },
      entries,
      mark: mark.toString(),
    };
  }

  async #transaction(commands: ReturnType<Redis['multi']>): Promise<unknown[]> {
    const results = (await commands.exec()) ?? [];
    return results.map(([error, result]) => {
      if (error) throw error;
      return result;
    });
  }

  /** A connection that has just broken still counts as ready until its socket says that it is closed. */
  get #isReady(): boolean {
    return this.#redis.status === 'ready' && this.#redis.stream.writable;
  }

  /** Waits a moment for the connection. @throws when there is none by then. */
  async #connected(): Promise<void> {
    if (this.#isReady) return;
    await (this.#connecting ??= this.#readyOrTooLate().finally(() => (this.#connecting = undefined)));
    if (!this.#isReady) throw new Error(`Redis at ${this.#url} does not answer: start it, or correct REDIS_URL.`);
  }

  async #readyOrTooLate(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CONNECT_MS);
    this.#redis.once('ready', resolve);
    await promise;
    clearTimeout(timer);
    this.#redis.off('ready', resolve);
  }
}

interface Loaded {
  readonly checkpoint: Checkpoint;
  readonly entries: Map<string, Uint8Array>;
  readonly mark: string;
}

/** Saves in a row whose outcome may be unknown and that are still told apart. */
const MAX_UNSURE = 8;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function addPage(entries: Map<string, Uint8Array>, elements: readonly Buffer[]): void {
  for (let i = 0; i < elements.length; i += 2) entries.set(elements[i]!.toString(), plain(elements[i + 1]!));
}

/** Bytes whose slice() is a copy, as everywhere: that of a Buffer is a view, on memory that it shares with others. */
const plain = (bytes: Buffer): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Entries as key, value, key, value …, cut into parts that one command may carry. */
function inParts(changed: ReadonlyMap<string, Uint8Array>): (string | Buffer)[][] {
  const parts: (string | Buffer)[][] = [];
  let bytes = Infinity;
  for (const [key, value] of changed) {
    const size = key.length + value.byteLength;
    if (bytes + size > MAX_COMMAND_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(key, asBuffer(value));
    bytes += size;
  }
  return parts;
}
