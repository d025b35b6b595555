import { readFileSync } from 'node:fs';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
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

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path} can't be read (${(error as Error).message}): give the path of a PEM file.`);
  }
}
