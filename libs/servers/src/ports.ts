import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

const CONNECT_MS = 5_000;

/** Below those that systems give to outgoing connections (from 32,768 on): of those, one may be taken while its server is away. */
const [LOWEST, HIGHEST] = [10_000, 32_767] as const;

/** Ports that this process has been given: whoever got one may not listen yet. */
const given = new Set<number>();

/** Ports of 127.0.0.1 that nobody listens on now, and none that was given before. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = randomInt(LOWEST, HIGHEST + 1);
    if (given.has(port) || !(await canListen(port))) continue;
    given.add(port);
    found.push(port);
  }
  return found;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Whether something listens on a port, of this machine by default, and answers within CONNECT_MS. */
export function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: CONNECT_MS });
    const settle = (listening: boolean): void => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
