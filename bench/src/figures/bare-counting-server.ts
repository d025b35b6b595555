import { Server, ServerCredentials, type ServerReadableStream } from '@grpc/grpc-js';
import { IngestionServiceService, type PublishRequest, type PublishResponse } from '@millwright/contracts';

/** The limit: a process with nothing but grpc-js, whose Publish decodes the messages and counts them. Tells its parent the port. */
const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
server.addService(IngestionServiceService, {
  publish(call: ServerReadableStream<PublishRequest, PublishResponse>, callback: (error: null, response: PublishResponse) => void) {
    let accepted = 0;
    call.on('data', ({ blocks }: PublishRequest) => (accepted += blocks.length));
    call.on('end', () => callback(null, { accepted, repeatedBlocks: 0 }));
  },
  // The definition has it, and nobody calls it here.
  publishContinuously: (call: { end(): void }) => call.end(),
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.(port);
});
process.on('disconnect', () => process.exit());
