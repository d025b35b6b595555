import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '@millwright/contracts';
import type { Case } from '../case.js';
import { compare, type Comparison } from '../comparison.js';
import { Line } from '../line.js';
import { replayEmbedded, replayOnKafka, replayPure } from '../replays.js';
import { finish, INSTANCES, part, playAtHalfLoad, reference } from '../run.js';

/** The same log read again gives the same output, writers' numbers included. */
export const replay: Case = {
  name: 'replay',
  claim: 'what came out live comes out again byte for byte: read at full speed by one instance instead of two, by the embedded log, and record by record',
  async run(stage) {
    const undisturbed = await reference(stage, part(stage));
    const { input, steps } = undisturbed;
    const { plantPath, source } = input;
    const folderOf = (name: string): string => {
      const folder = join(stage.folder, name);
      mkdirSync(folder);
      return folder;
    };
    stage.progress('live, at half load, by two instances of each service');
    const line = await Line.start({ folder: folderOf('live'), plantPath, source, instances: INSTANCES });
    try {
      await playAtHalfLoad(line, undisturbed, () => undefined);
      const live = await finish(line, input, steps);
      const { brokers } = line.kafka;
      stage.progress('again, at full speed, by one instance of each service');
      const onKafka = await replayOnKafka(brokers, { folder: folderOf('one'), plantPath, source, instances: 1 }, live.endUs);
      stage.progress('again, by the embedded log');
      const embedded = await replayEmbedded(brokers, { folder: folderOf('embedded'), plantPath }, live.endUs);
      stage.progress('again, record by record through the features processor alone');
      const pure = await replayPure(brokers, { folder: folderOf('pure'), plantPath });
      const comparisons: readonly (readonly [string, Comparison])[] = [
        ['one instance at full speed', compare(live.recording, onKafka, { numbered: true })],
        ['the embedded log', compare(live.recording, embedded, { numbered: true })],
        ['record by record', compare(live.recording, pure, { numbered: true, topic: TOPICS.features.name })],
      ];
      return {
        killed: 0,
        lost: live.lost + Math.max(...comparisons.map(([, { lost }]) => lost)),
        duplicated: Math.max(...comparisons.map(([, { duplicated }]) => duplicated)),
        identical: comparisons.every(([, { identical }]) => identical),
        failures: [...live.failures, ...comparisons.flatMap(([how, { differences }]) => differences.map((each) => `${how}: ${each}`))],
      };
    } finally {
      await line.close();
    }
  },
};
