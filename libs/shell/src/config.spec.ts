import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { clusterEnvironment, ConfigError, integer, readEnvironment, shellEnvironment } from './config.js';

const GOOD = { MILLWRIGHT_PLANT: 'plants/demo/plant.yaml', KAFKA_BROKERS: 'kafka-1:9092, [::1]:9093', REDIS_URL: 'redis://localhost:6379' };
const read = (env: NodeJS.ProcessEnv) => readEnvironment({ config: shellEnvironment, cluster: clusterEnvironment }, env);

function problems(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('readEnvironment', () => {
  it('has a default for all that can have one', () => {
    const { config, cluster } = read(GOOD);
    expect(config).toMatchObject({ plantPath: 'plants/demo/plant.yaml', partitions: 6, checkpointMs: 5000, grpcPort: 50051, httpPort: 8080, host: '0.0.0.0', logLevel: 'info' });
    expect(cluster).toEqual({ kafkaBrokers: ['kafka-1:9092', '[::1]:9093'], redisUrl: 'redis://localhost:6379' });
  });

  it('takes an empty variable for an absent one', () => {
    expect(read({ ...GOOD, LOG_LEVEL: '', GRPC_PORT: '' }).config).toMatchObject({ logLevel: 'info', grpcPort: 50051 });
  });

  it('tells every mistake of every part at once: name, value, what is allowed', () => {
    expect(problems({ KAFKA_BROKERS: 'kafka', REDIS_URL: 'http://here', GRPC_PORT: '70000', HTTP_PORT: '-1', LOG_LEVEL: 'loud', MILLWRIGHT_PARTITIONS: '1.5' })).toEqual([
      'MILLWRIGHT_PLANT is not set: give the path of a plant.yaml.',
      'MILLWRIGHT_PARTITIONS is "1.5": give a whole number from 1 to 1000.',
      'GRPC_PORT is "70000": give a whole number from 0 to 65535.',
      'HTTP_PORT is "-1": give a whole number from 0 to 65535.',
      'LOG_LEVEL is "loud": give one of trace, debug, info, warn, error, fatal, silent.',
      'KAFKA_BROKERS is "kafka": give the brokers as host:port, separated by commas.',
      'REDIS_URL is "http://here": give an address like redis://host:6379.',
    ]);
  });

  it('keeps passwords out of messages', () => {
    expect(problems({ ...GOOD, REDIS_URL: 'redi://user:secret@host' })).toEqual(['REDIS_URL is "redi://user:***@host": give an address like redis://host:6379.']);
  });

  it("reads a service's own part with the others", () => {
    const own = z.object({ SPEED: integer(1, 9, 3) }).transform(({ SPEED }) => ({ speed: SPEED }));
    expect(readEnvironment({ own }, {})).toEqual({ own: { speed: 3 } });
    expect(() => readEnvironment({ own }, { SPEED: '10' })).toThrow('SPEED is "10": give a whole number from 1 to 9.');
  });
});
