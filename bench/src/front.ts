import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** One address before instances that come and go, as a Kubernetes Service is: new connections go to the present one, those that stand stay where they are. */
export class Front {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: string;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.#target = target;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (client) => this.#pass(client));
  }

  /** @param target host:port */
  static async open(target: string): Promise<Front> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Front(server, target);
  }

  /** Where new connections go from now on. */
  turnTo(target: string): void {
    this.#target = target;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(client: Socket): void {
    const { hostname, port } = new URL(`tcp://${this.#target}`);
    const server = connect({ host: hostname, port: Number(port), noDelay: true });
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      // Either end's end is the other's; what went wrong is for the two to find out.
      from.on('error', () => from.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
