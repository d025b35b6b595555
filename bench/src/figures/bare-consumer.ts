import { TOPICS } from '@millwright/contracts';
import kafkajs from 'kafkajs';
import { FETCH } from '../broker.js';

/** Reads telemetry with kafkajs alone, once for every message from the parent: answers the seconds from joining the group to the last record. */
const kafka = new kafkajs.Kafka({ brokers: process.argv.slice(2), clientId: 'bench-bare', logLevel: kafkajs.logLevel.NOTHING });

async function consume(groupId: string, records: number): Promise<number> {
  const consumer = kafka.consumer({ groupId, ...FETCH });
  let began = NaN;
  consumer.on(consumer.events.GROUP_JOIN, () => (began = performance.now()));
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPICS.telemetry.name], fromBeginning: true });
  const { promise, resolve } = Promise.withResolvers<number>();
  let read = 0;
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      read += batch.messages.length;
      if (read >= records) resolve(performance.now());
      return Promise.resolve();
    },
  });
  const ended = await promise;
  await consumer.disconnect();
  return (ended - began) / 1000;
}

process.on('message', ({ group, records }: { group: string; records: number }) => {
  void consume(group, records).then((seconds) => process.send?.(seconds));
});
