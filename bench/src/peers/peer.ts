import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '@millwright/servers';

const BENCH = fileURLToPath(new URL('../..', import.meta.url));

/** Sources of the peers, each with its own build. */
export const PEERS = join(BENCH, 'peers');
/** The .proto files that peers generate their messages from. */
export const PROTO = join(BENCH, '../proto');

/** How a peer is run. */
export interface PeerCommand {
  readonly command: string;
  /** What comes before the path of its job file. */
  readonly args: readonly string[];
}

/** Another way to do the job of a service, which a user could have picked instead. */
export interface Peer {
  readonly name: string;
  /** As it is called in figures. */
  readonly id: string;
  /** How often it commits, milliseconds: what it is fastest with, and not much above what its user would want to wait. */
  readonly commitMs: number;
  /** Threads that work on partitions in its process; this project's service, which has one a process, gets as many processes. */
  readonly threads: number;
  /** Builds it on first use. @throws MissingPeerError when this machine lacks what it needs. */
  prepare(progress: (line: string) => void): Promise<PeerCommand>;
}

/** A peer that can't be run on this machine, in one sentence: its figures are left out. */
export class MissingPeerError extends Error {
  override readonly name = 'MissingPeerError';
}

/** Folder that is filled on first use and kept in the cache; made anew when one of the files or folders changes that it is made from. */
export async function built(name: string, sources: readonly string[], fill: (folder: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) for (const file of await filesOf(source)) hash.update(file).update(await readFile(file));
  const folder = join(cacheFolder(), 'peers', `${name}-${hash.digest('hex').slice(0, 12)}`);
  if (await exists(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const aside = await mkdtemp(`${folder}.`);
  try {
    await fill(aside);
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

async function filesOf(path: string): Promise<string[]> {
  if ((await stat(path)).isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);
