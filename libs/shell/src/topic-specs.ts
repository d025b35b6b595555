import { deadLetterTopic, lateTopic, TOPICS, type Topic } from '@millwright/contracts';
import type { TopicSpec } from '@millwright/streams';

const DAY_MS = 86_400_000;

/** The whole topic table with `partitions` partitions each, with `.dlq` and `.late` of what processors consume. */
export function topicSpecs(partitions: number): TopicSpec[] {
  return Object.values<Topic>(TOPICS).flatMap(({ name, retentionDays, compacted, consumed }) => {
    const spec: TopicSpec = { name, partitions, retentionMs: retentionDays * DAY_MS, compacted };
    if (!consumed) return [spec];
    return [spec, { ...spec, name: deadLetterTopic(name), compacted: false }, { ...spec, name: lateTopic(name), compacted: false }];
  });
}
