import { readFileSync } from 'node:fs';
import { credentials, status, type ChannelCredentials, type Client, type ServiceError } from '@grpc/grpc-js';
import type { Command } from 'commander';
import { UsageError } from './usage-error.js';

/** How to reach a gRPC service. */
export interface ConnectionOptions {
  readonly address: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export function addConnectionOptions(command: Command, service: string): Command {
  return command
    .requiredOption('--address <host:port>', `gRPC address of ${service}`)
    .option('--ca <file>', 'PEM file of the authority that signed its certificate: with TLS')
    .option('--cert <file>', 'PEM file of a client certificate, where it asks for one')
    .option('--key <file>', 'PEM file of its key');
}

/** @throws UsageError for files that can't be read, or that go only together. */
export function channelCredentials({ ca, cert, key }: ConnectionOptions): ChannelCredentials {
  if (ca === undefined) {
    if (cert !== undefined || key !== undefined) throw new UsageError('--cert and --key are for TLS: give --ca, too.');
    return credentials.createInsecure();
  }
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key go together: give both, or neither.');
  return cert === undefined || key === undefined ? credentials.createSsl(read(ca)) : credentials.createSsl(read(ca), read(key), read(cert));
}

/** What the person can mend, by their hand or by their question. */
const FOR_PEOPLE: ReadonlySet<status> = new Set([status.NOT_FOUND, status.INVALID_ARGUMENT, status.FAILED_PRECONDITION, status.UNAVAILABLE]);

/**
 * Uses a client of a service, and closes it.
 * @param service as it is called in the sentence that says that it does not answer
 * @throws UsageError for what the person can mend
 */
export async function withClient<C extends Client, R>(
  ClientOf: new (address: string, credentials: ChannelCredentials) => C,
  service: string,
  connection: ConnectionOptions,
  use: (client: C) => Promise<R>,
): Promise<R> {
  const { address } = connection;
  const client = new ClientOf(address, channelCredentials(connection));
  try {
    return await use(client);
  } catch (error) {
    const { code, details } = error as ServiceError;
    if (code === undefined || !FOR_PEOPLE.has(code)) throw error;
    throw new UsageError(code === status.UNAVAILABLE ? `${service} does not answer at ${address}: start it, or give its gRPC address with --address.` : details);
  } finally {
    client.close();
  }
}

/** A unary call as a promise. */
export const call = <R>(start: (done: (error: ServiceError | null, response: R) => void) => unknown): Promise<R> =>
  new Promise((resolve, reject) => {
    start((error, response) => (error === null ? resolve(response) : reject(error)));
  });

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path} can't be read (${(error as Error).message}): give the path of a PEM file.`);
  }
}
