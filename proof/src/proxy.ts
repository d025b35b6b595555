import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Which way bytes go: to the server, or back from it. */
export type Direction = 'there' | 'back';

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  readonly held: Set<Direction>;
}

/** A bad network between some clients and one server: TCP passed on late, held back one way or both, or cut. Never reordered or changed, as by TCP itself. */
export class Proxy {
  /** Milliseconds that everything takes longer, each way. */
  delayMs = 0;
  readonly port: number;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #held = new Set<Direction>();
  #released = Promise.withResolvers<void>();
  #refuses = false;

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (client) => this.#accept(client, target));
  }

  /** @param target port of 127.0.0.1 that it stands before */
  static async open(target: number): Promise<Proxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Proxy(server, (server.address() as AddressInfo).port, target);
  }

  /** Holds back all that comes from now on, on connections new and old; nobody is told. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
  }

  /** Holds back one connection, so that one client is away while others are there. */
  holdOne(index: number): void {
    const connection = [...this.#connections][index % Math.max(1, this.#connections.size)];
    connection?.held.add('there').add('back');
  }

  /** Lets pass what is held back, in order. */
  release(): void {
    this.#held.clear();
    for (const { held } of this.#connections) held.clear();
    this.#released.resolve();
    this.#released = Promise.withResolvers<void>();
  }

  /** Cuts one connection: both ends are told at once. */
  cutOne(index: number): void {
    const connection = [...this.#connections][index % Math.max(1, this.#connections.size)];
    if (connection !== undefined) this.#cut(connection);
  }

  /** Cuts all connections; what is held back is lost. */
  cut(): void {
    for (const connection of [...this.#connections]) this.#cut(connection);
  }

  /** Whether new connections are refused. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
  }

  async close(): Promise<void> {
    this.cut();
    this.release();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket, target: number): void {
    // A socket that was cut says so by an error, which its end deals with.
    client.on('error', () => client.destroy());
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    server.on('error', () => server.destroy());
    const connection: Connection = { client, server, held: new Set() };
    this.#connections.add(connection);
    void this.#pass(connection, 'there');
    void this.#pass(connection, 'back');
  }

  async #pass(connection: Connection, direction: Direction): Promise<void> {
    const [from, to] = direction === 'there' ? [connection.client, connection.server] : [connection.server, connection.client];
    try {
      // The next piece is read when this one has gone: what is held back holds its sender back, too.
      for await (const piece of from) {
        if (this.delayMs > 0) await pause(this.delayMs);
        while (this.#held.has(direction) || connection.held.has(direction)) await this.#released.promise;
        if (!to.write(piece as Buffer)) await once(to, 'drain');
      }
      to.end();
    } catch {
      this.#cut(connection);
    } finally {
      if (connection.client.destroyed || connection.server.destroyed) this.#cut(connection);
    }
  }

  #cut(connection: Connection): void {
    this.#connections.delete(connection);
    connection.client.destroy();
    connection.server.destroy();
  }
}
