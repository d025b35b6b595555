import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '@millwright/servers';
import { topicSpecs } from '@millwright/shell';
import { openKafkaLog } from '@millwright/streams';
import { FEATURES, Outputs, workOff } from '../backlog.js';
import { PARTITIONS, quiet, startBroker } from '../broker.js';
import { figure, type Measurement } from '../figure.js';
import { MOTOR_PLANT, motorPlant } from '../motors.js';
import { serviceWorker } from '../peers/worker.js';

const ROUNDS = 3;
/** Event time of the telemetry of a round. */
const SECONDS = 240;
const CORES = availableParallelism();
/** Two instances, the broker and whoever looks on want a core each: with fewer there is less to be won. */
const GOAL = CORES >= 4 ? 1.8 : 1;

export const scalingMeasurement: Measurement = {
  figures: ['scaling_2_instances'],
  what: `Scaling: windows a second of two instances of the features service over those of one, with the broker on the same ${CORES} cores`,
  async measure(progress) {
    const folder = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
    const [broker, redis] = await Promise.all([startBroker(), startRedis()]);
    const log = openKafkaLog({ brokers: broker.brokers, clientId: 'bench', logger: quiet(progress) });
    try {
      const plant = motorPlant();
      await log.createTopics(topicSpecs(PARTITIONS));
      const outputs = await Outputs.of(log, FEATURES.output);
      const servers = { brokers: broker.brokers, redisUrl: redis.url };
      const workers = [1, 2].map((instances) => serviceWorker(FEATURES.service, instances, FEATURES.output, folder, MOTOR_PLANT, servers));
      const ratios: number[] = [];
      for (let segment = 0; segment < 2 * (ROUNDS + 1); segment += 2) {
        const rates: number[] = [];
        for (const [i, worker] of workers.entries()) {
          const { batches, outputs: expected } = FEATURES.segment(plant, segment + i, SECONDS);
          for (const batch of batches) await log.append(batch);
          rates.push((await workOff(worker, outputs, expected())).perSecond);
        }
        progress(`${Math.round(rates[0]!)} windows/s with one instance, ${Math.round(rates[1]!)} with two${segment === 0 ? ' (not counted)' : ''}`);
        if (segment > 0) ratios.push(rates[1]! / rates[0]!);
      }
      return [figure('scaling_2_instances', ratios, GOAL, 'higher', 'ratio')];
    } finally {
      await log.close();
      await Promise.all([broker.stop(), redis.stop()]);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
