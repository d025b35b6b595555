import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.js';
import { findCommand, MissingServerError, run } from './commands.js';
import { freePorts, isListening } from './ports.js';

export interface RedisOptions {
  /** Port of 127.0.0.1 to listen on; a free one by default. */
  readonly port?: number;
  /** Where data and logs are kept; by default a temporary folder that stop() removes. */
  readonly folder?: string;
  /** Lives on when this process ends. */
  readonly outlive?: boolean;
}

export interface RedisServer {
  readonly url: string;
  readonly pid: number;
  readonly logFile: string;
  /** Sends a signal to the server; with SIGKILL, resolves when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again after a kill, on the same port and data; resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it, by force if need be, and removes its temporary folder. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;

/**
 * Starts a Redis that keeps an append-only file, and resolves when it answers.
 * @throws MissingServerError when there is no redis-server and none can be installed.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const command = (await findCommand('redis-server')) ?? (await installRedis());
  const port = options.port ?? (await freePorts(1))[0]!;
  if (await isListening(port)) throw new Error(`Redis cannot listen on port ${port}, which is in use: choose another one.`);
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'millwright-redis-')));
  await mkdir(folder, { recursive: true });
  const logFile = join(folder, 'redis.log');
  const url = `redis://127.0.0.1:${port}`;
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', '', '--daemonize', 'no'];

  const launch = async (): Promise<Child> => {
    const child = await Child.start({ command, args, logFile, outlive: options.outlive ?? false, temporary: options.folder === undefined ? folder : undefined });
    await child.untilReady('Redis', logFile, () => answers(port), START_TIMEOUT_MS);
    return child;
  };
  let child = await launch();
  return {
    url,
    logFile,
    get pid() {
      return child.pid;
    },
    kill: (signal) => child.kill(signal),
    restart: async () => {
      if (child.running) throw new Error('Redis is running: kill or stop it before it is started again.');
      child = await launch();
    },
    stop: async () => {
      await child.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Has the distribution's package manager install the server, without having it started as a service. */
async function installRedis(): Promise<string> {
  const aptGet = process.getuid?.() === 0 ? await findCommand('apt-get') : undefined;
  const advice = 'install it (Debian and Ubuntu: sudo apt-get install redis-server; macOS: brew install redis) or set REDIS_URL to a running Redis.';
  if (!aptGet) throw new MissingServerError(`There is no redis-server on the PATH: ${advice}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    await run(aptGet, ['update', '-qq'], { env });
    await run(aptGet, ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'], { env });
  } catch (error) {
    throw new MissingServerError(`apt-get could not install redis-server (${(error as Error).message.trim().split('\n').at(-1)}): ${advice}`);
  }
  const command = await findCommand('redis-server');
  if (!command) throw new MissingServerError(`apt-get installed redis-server, but it is not on the PATH: ${advice}`);
  return command;
}

/** Whether PING is answered by PONG: a server that still loads its data answers otherwise. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('data', (reply) => settle(reply.toString().startsWith('+PONG')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
