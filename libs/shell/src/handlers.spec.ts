import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, credentials, Server, ServerCredentials, status, type ClientReadableStream, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { eventually } from '@millwright/streams/testing';
import { serverStreaming } from './handlers.js';

/** A method of bytes: what is tested is the flow, not the messages. */
const asIs = (bytes: Buffer): Buffer => bytes;
const WATCH: MethodDefinition<Buffer, Buffer> = {
  path: '/test.Test/Watch', requestStream: false, responseStream: true,
  requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
};

describe('serverStreaming', () => {
  let server: Server;
  let client: Client | undefined;
  beforeEach(() => {
    server = new Server();
  });
  afterEach(() => {
    client?.close();
    server.forceShutdown();
  });

  async function watch(handle: () => AsyncIterable<Buffer>): Promise<ClientReadableStream<Buffer>> {
    server.addService({ watch: WATCH }, { watch: serverStreaming<Buffer, Buffer>(handle) });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    return client.makeServerStreamRequest(WATCH.path, asIs, asIs, Buffer.alloc(0));
  }

  it('takes from the source only as fast as the client reads, and nothing is lost', async () => {
    const total = 400;
    let taken = 0;
    const call = await watch(async function* () {
      for (; taken < total; taken++) yield Buffer.alloc(64 * 1024, taken & 255);
    });
    const received: number[] = [];
    await new Promise<void>((resolve) => call.once('readable', resolve));
    // Whatever buffers there are between the two, they fill up and the source is left alone.
    let before = -1;
    while (before !== taken) {
      before = taken;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(taken).toBeLessThan(total / 2);
    call.on('data', (bytes: Buffer) => received.push(bytes[0]!));
    await new Promise((resolve) => call.on('end', resolve));
    expect(received).toEqual(Array.from({ length: total }, (_, i) => i & 255));
  });

  it('lets go of the source when the client leaves, even while it waits for news', async () => {
    let released = 0;
    const news: PromiseWithResolvers<void> = Promise.withResolvers();
    const call = await watch(() => ({
      [Symbol.asyncIterator]: () => {
        let first = true;
        return {
          async next() {
            if (!first) await news.promise;
            first = false;
            return { done: false, value: Buffer.from([1]) };
          },
          return: () => {
            released++;
            return Promise.resolve({ done: true, value: undefined });
          },
        };
      },
    }));
    const ended = new Promise<ServiceError>((resolve) => call.on('error', resolve));
    await new Promise((resolve) => call.once('data', resolve));
    call.cancel();
    expect((await ended).code).toBe(status.CANCELLED);
    await eventually(() => released === 1, 'the source is let go of');
  });

  it('ends with OK when the source ends', async () => {
    const call = await watch(async function* () {
      yield Buffer.from([7]);
    });
    const received: Buffer[] = [];
    call.on('data', (bytes: Buffer) => received.push(bytes));
    const { code } = await new Promise<{ code: status }>((resolve) => call.on('status', resolve));
    expect(code).toBe(status.OK);
    expect(received).toEqual([Buffer.from([7])]);
  });
});
