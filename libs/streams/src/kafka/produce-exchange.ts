import { createRequire } from 'node:module';
import { roomy, type Exchange } from './exchange.js';
import { encodeProduce, type Produced, type ProduceRequest } from './produce-request.js';

const answer = createRequire(import.meta.url)('kafkajs/src/protocol/requests/produce/v7/response') as Exchange<Produced>['response'];

/** Records, by the newest version of the request that kafkajs can read the answer to, which all brokers take that Millwright runs on. */
export function produceV7(fields: ProduceRequest): Exchange<Produced> {
  return {
    request: { apiKey: 0, apiVersion: 7, apiName: 'Produce', encode: () => Promise.resolve(roomy((headRoom) => encodeProduce(fields, headRoom))) },
    response: answer,
  };
}
