import type { RuntimeLogger } from '../runtime.js';
import { describeEventLog } from '../testing/index.js';
import { openKafkaLog } from './kafka-log.js';

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

const open = () => openKafkaLog({ brokers: process.env['KAFKA_BROKERS']!.split(','), clientId: 'test', logger: silent });

describeEventLog('Kafka', () => {
  let log = open();
  return Promise.resolve({
    log,
    reopen: async () => {
      await log.close();
      log = open();
      return log;
    },
    close: () => log.close(),
  });
});
