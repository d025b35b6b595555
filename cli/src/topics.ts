import { integer, kafkaEnvironment, readEnvironment, topicSpecs } from '@millwright/shell';
import { openKafkaLog, topicConfig } from '@millwright/streams';
import { z } from 'zod';
import { standardErrorLogger } from './standard-error-logger.js';

/** How many partitions every topic has. */
export const partitionsEnvironment = z.object({ MILLWRIGHT_PARTITIONS: integer(1, 1000, 6) }).transform((env) => env.MILLWRIGHT_PARTITIONS);

/** `millwright topics list`: the topic table with the settings of each, as creation by other means needs it. */
export function listTopics({ json }: { readonly json: boolean }): Promise<number> {
  const topics = topicSpecs(1).map((spec) => ({ name: spec.name, config: topicConfig(spec) }));
  process.stdout.write(
    json ? `${JSON.stringify(topics, undefined, 2)}\n` : topics.map(({ name, config }) => `${name}  ${Object.entries(config).map(([key, value]) => `${key}=${value}`).join(' ')}\n`).join(''),
  );
  return Promise.resolve(0);
}

/** `millwright topics create`: makes the topics that Kafka lacks; leaves those that it has. */
export async function createTopics({ replicationFactor }: { readonly replicationFactor?: number }): Promise<number> {
  const { kafka, partitions } = readEnvironment({ kafka: kafkaEnvironment, partitions: partitionsEnvironment }, process.env);
  const log = openKafkaLog({ ...kafka, clientId: 'millwright-topics', logger: standardErrorLogger('topics') });
  try {
    const specs = topicSpecs(partitions);
    await log.createTopics(replicationFactor === undefined ? specs : specs.map((spec) => ({ ...spec, replicationFactor })));
    const counts = await Promise.all(specs.map(async ({ name }) => ({ name, count: await log.partitions(name) })));
    const different = counts.filter(({ count }) => count !== partitions);
    for (const { name, count } of different) {
      process.stderr.write(`${name} has ${count} partitions, not ${partitions}: set MILLWRIGHT_PARTITIONS to the number that all have, or remove the topic and run this again.\n`);
    }
    process.stdout.write(`${counts.length} topics of ${partitions} partitions${different.length > 0 ? `, ${different.length} of them of another number` : ''}.\n`);
    return different.length > 0 ? 1 : 0;
  } finally {
    await log.close();
  }
}
