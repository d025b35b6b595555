import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ConfigError, integer, kafkaEnvironment, readEnvironment, redisEnvironment, shellEnvironment } from './config.js';

const GOOD = { MILLWRIGHT_PLANT: 'plants/demo/plant.yaml', KAFKA_BROKERS: 'kafka-1:9092, [::1]:9093', REDIS_URL: 'redis://localhost:6379' };
const read = (env: NodeJS.ProcessEnv) => readEnvironment({ config: shellEnvironment, kafka: kafkaEnvironment, redis: redisEnvironment }, env);

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
    const { config, kafka, redis } = read(GOOD);
    expect(config).toMatchObject({ plantPath: 'plants/demo/plant.yaml', partitions: 6, checkpointMs: 5000, grpcPort: 50051, httpPort: 8080, host: '0.0.0.0', logLevel: 'info' });
    expect(config.grpcTls).toBeUndefined();
    expect(kafka).toEqual({ brokers: ['kafka-1:9092', '[::1]:9093'] });
    expect(redis).toEqual({ url: 'redis://localhost:6379' });
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

  it('reads TLS and users of Kafka, Redis and gRPC', () => {
    const file = fileURLToPath(import.meta.url);
    const { config, kafka, redis } = read({
      ...GOOD, REDIS_URL: 'rediss://redis:6379', KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_USERNAME: 'plant', KAFKA_SASL_PASSWORD: 'secret',
      KAFKA_TLS_CA_FILE: file, REDIS_TLS_CERT_FILE: file, REDIS_TLS_KEY_FILE: file, GRPC_TLS_CERT_FILE: file, GRPC_TLS_KEY_FILE: file, GRPC_TLS_CA_FILE: file,
    });
    expect(kafka).toEqual({
      brokers: ['kafka-1:9092', '[::1]:9093'], tls: { ca: file }, sasl: { mechanism: 'scram-sha-512', username: 'plant', password: 'secret' },
    });
    expect(redis).toEqual({ url: 'rediss://redis:6379', tls: { cert: file, key: file } });
    expect(config.grpcTls).toEqual({ cert: file, key: file, ca: file });
  });

  it('says which variable of a set is missing', () => {
    const file = fileURLToPath(import.meta.url);
    expect(problems({ ...GOOD, KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_USERNAME: 'plant', KAFKA_TLS_CERT_FILE: file, REDIS_TLS_KEY_FILE: file, GRPC_TLS_CA_FILE: file })).toEqual([
      'GRPC_TLS_CERT_FILE is not set: GRPC_TLS_CA_FILE asks clients for certificates, which needs one of the server.',
      'KAFKA_SASL_PASSWORD is not set: KAFKA_SECURITY_PROTOCOL is SASL_SSL, which needs a password.',
      'KAFKA_TLS_KEY_FILE is not set: KAFKA_TLS_CERT_FILE is given, and neither works without the other.',
      'REDIS_TLS_CERT_FILE is not set: REDIS_TLS_KEY_FILE is given, and neither works without the other.',
    ]);
    expect(problems({ ...GOOD, KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_TLS_CA_FILE: '/nowhere/ca.crt' })).toEqual(['KAFKA_TLS_CA_FILE is "/nowhere/ca.crt": give the path of a PEM file that can be read.']);
    expect(problems({ ...GOOD, KAFKA_TLS_CA_FILE: file })).toEqual([expect.stringMatching(/^KAFKA_SECURITY_PROTOCOL is .*PLAINTEXT.* uses no KAFKA_TLS_\* file/)]);
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
