import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { Child, findCommand, freePorts, startKafka, type KafkaServer } from '@millwright/servers';
import { ROOT } from './home.js';
import { ServiceProcess } from './service-process.js';
import { authority } from './testing/certificates.js';
import { millwright, temporaryFolder } from './testing/command.js';

/** A Kafka that asks for a certificate and a user, a Redis that asks for a certificate, and a service that asks its clients for one. */
describe('TLS and users on every connection', () => {
  const folder = temporaryFolder();
  const ours = authority(folder.path);
  const theirs = authority(folder.path, 'strangers');
  const server = ours.issue('server');
  const client = ours.issue('client');
  const stranger = theirs.issue('stranger');
  let kafka: KafkaServer;
  let redis: Child;
  let alerting: ServiceProcess;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    const [port, controller, redisPort] = (await freePorts(3)) as [number, number, number];
    const users = 'required username="broker" password="b" user_broker="b" user_plant="p";';
    kafka = await startKafka({
      port,
      settings: {
        'listeners': `SASL_SSL://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
        'advertised.listeners': `SASL_SSL://127.0.0.1:${port}`,
        'controller.quorum.voters': `1@127.0.0.1:${controller}`,
        'listener.security.protocol.map': 'SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name': 'SASL_SSL',
        'sasl.enabled.mechanisms': 'PLAIN',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule ${users}`,
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': server.both,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': ours.ca,
        'ssl.client.auth': 'required',
      },
    });
    const logFile = join(folder.path, 'redis.log');
    const tls = ['--tls-port', `${redisPort}`, '--tls-cert-file', server.cert, '--tls-key-file', server.key, '--tls-ca-cert-file', ours.ca, '--tls-auth-clients', 'yes'];
    redis = await Child.start({ command: (await findCommand('redis-server'))!, args: ['--port', '0', '--bind', '127.0.0.1', '--dir', folder.path, '--save', '', ...tls], logFile, outlive: false, temporary: undefined });
    env = {
      KAFKA_BROKERS: kafka.brokers.join(','),
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'plant', KAFKA_SASL_PASSWORD: 'p',
      KAFKA_TLS_CA_FILE: ours.ca, KAFKA_TLS_CERT_FILE: client.cert, KAFKA_TLS_KEY_FILE: client.key,
      REDIS_URL: `rediss://127.0.0.1:${redisPort}`,
      REDIS_TLS_CA_FILE: ours.ca, REDIS_TLS_CERT_FILE: client.cert, REDIS_TLS_KEY_FILE: client.key,
      GRPC_TLS_CA_FILE: ours.ca, GRPC_TLS_CERT_FILE: server.cert, GRPC_TLS_KEY_FILE: server.key,
    };
    const plant = join(ROOT, 'plants/demo/plant.yaml');
    alerting = new ServiceProcess('alerting', 1, folder.path, plant, { brokers: kafka.brokers, redisUrl: env['REDIS_URL']! }, false, env as Record<string, string>);
    await alerting.ready();
  });
  afterAll(async () => {
    await alerting.stop();
    await Promise.all([kafka.stop(), redis.stop()]);
    folder.remove();
  });

  const command = (args: readonly string[], more: NodeJS.ProcessEnv = {}) => millwright(args, { home: folder.path, env: { ...env, ...more } }).ended;
  // By name: Node warns of server names that are addresses.
  const list = (...files: string[]) => command(['alarms', 'list', '--address', alerting.grpc.replace('127.0.0.1', 'localhost'), ...files]);

  it('lets in a client with a certificate of the authority', async () => {
    expect(await list('--ca', ours.ca, '--cert', client.cert, '--key', client.key)).toMatchObject({ code: 0, stdout: 'No alarms.\n' });
  });

  it.each([
    ['no certificate', () => ['--ca', ours.ca]],
    ["a stranger's certificate", () => ['--ca', ours.ca, '--cert', stranger.cert, '--key', stranger.key]],
    ['no TLS', () => []],
    ['another authority', () => ['--ca', theirs.ca, '--cert', client.cert, '--key', client.key]],
  ])('lets nobody in with %s', async (_, files) => {
    expect(await list(...files())).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Alerting does not answer at/) });
  });

  it('doctor finds all well, with the certificates', async () => {
    const { code, stdout } = await command(['doctor', '--plant', 'demo', '--http', alerting.http]);
    expect(stdout).toMatch(new RegExp(`^ok {4}certificate ${client.cert}: valid until`, 'm'));
    expect(stdout).toMatch(/All is well\.\n$/);
    expect(code).toBe(0);
  });

  it('doctor names a key that is not of its certificate, one that another authority signed, and a wrong password', async () => {
    const wrongKey = await command(['doctor', '--plant', 'demo'], { GRPC_TLS_KEY_FILE: client.key });
    expect(wrongKey.stdout).toMatch(new RegExp(`^WRONG certificate ${server.cert}: ${client.key} is not its key`, 'm'));
    const foreign = await command(['doctor', '--plant', 'demo'], { GRPC_TLS_CERT_FILE: stranger.cert, GRPC_TLS_KEY_FILE: stranger.key });
    expect(foreign.stdout).toMatch(new RegExp(`^WRONG certificate ${stranger.cert}: ${ours.ca} did not sign it`, 'm'));
    const password = await command(['doctor', '--plant', 'demo'], { KAFKA_SASL_PASSWORD: 'wrong' });
    expect(password.stdout).toMatch(/^WRONG Kafka: .* does not answer with the given user and certificates/m);
  });
});
