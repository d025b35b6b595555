import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** A service definition whose requests reach the handlers as they came: records go to the log as the client encoded them. */
export function withEncodedRequests(service: ServiceDefinition): ServiceDefinition {
  const encoded = (method: MethodDefinition<unknown, unknown>) => ({ ...method, requestDeserialize: (bytes: Buffer) => bytes });
  return Object.fromEntries(Object.entries(service).map(([name, method]) => [name, encoded(method)]));
}
