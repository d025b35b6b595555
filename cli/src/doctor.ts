import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { loadPackage } from '@millwright/models';
import { createLogger } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { packageDirectory } from '@millwright/service-inference';
import { isBadInput, kafkaEnvironment, readEnvironment, redisEnvironment, topicSpecs, type KafkaConfig, type RedisConfig } from '@millwright/shell';
import { openKafkaLog, redisServer } from '@millwright/streams';
import { z } from 'zod';
import { plantPath } from './home.js';
import { partitionsEnvironment } from './topics.js';

/** One thing that was looked at: `problem` says what is wrong and what to do. */
export interface Diagnosis {
  readonly name: string;
  readonly found?: string;
  readonly problem?: string;
}

export interface DoctorOptions {
  readonly plant?: string;
  /** HTTP addresses of services, host:port. */
  readonly http: readonly string[];
}

/** PEM files, as far as they are given. */
interface CertificateFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

const grpcFiles = z
  .object({ GRPC_TLS_CERT_FILE: z.string().optional(), GRPC_TLS_KEY_FILE: z.string().optional(), GRPC_TLS_CA_FILE: z.string().optional() })
  .transform((env): CertificateFiles => ({ ca: env.GRPC_TLS_CA_FILE, cert: env.GRPC_TLS_CERT_FILE, key: env.GRPC_TLS_KEY_FILE }));

/** How far clocks may be apart: watermarks are compared with them. */
const CLOCK_MS = 1_000;
const CERTIFICATE_DAYS = 14;
const ANSWER_MS = 5_000;
const DAY_MS = 86_400_000;

/** `millwright doctor`: looks at what the services need, from the same environment, and says what to do. Exit code 1 when something is wrong. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const { kafka, redis, partitions, grpc } = readEnvironment({ kafka: kafkaEnvironment, redis: redisEnvironment, partitions: partitionsEnvironment, grpc: grpcFiles }, process.env);
  const diagnoses = [
    ...(await plantAndModels(options.plant)),
    ...(await kafkaAndTopics(kafka, partitions)),
    ...(await redisAndClock(redis)),
    ...(await Promise.all(options.http.map(service))),
    ...[kafka.tls, redis.tls, grpc].flatMap((each) => certificates(each ?? {})),
  ];
  for (const { name, found, problem } of diagnoses) process.stdout.write(`${problem === undefined ? 'ok    ' : 'WRONG '}${name}: ${problem ?? found ?? 'fine'}\n`);
  const wrong = diagnoses.filter(({ problem }) => problem !== undefined).length;
  process.stdout.write(wrong === 0 ? 'All is well.\n' : `${wrong} of ${diagnoses.length} are wrong.\n`);
  return wrong === 0 ? 0 : 1;
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function plantAndModels(given: string | undefined): Promise<Diagnosis[]> {
  const path = given ?? process.env['MILLWRIGHT_PLANT'];
  if (path === undefined) return [{ name: 'plant', problem: 'no plant file is named: give --plant, or set MILLWRIGHT_PLANT.' }];
  try {
    const plant = loadPlant(plantPath(path));
    const names = [...new Set([...plant.kinds.values()].flatMap(({ models }) => models))];
    const models = await Promise.all(
      names.map(async (name): Promise<Diagnosis> => {
        try {
          const { manifest } = await loadPackage(packageDirectory(plant, name));
          return { name: `model ${name}`, found: `version ${manifest.version}, whole` };
        } catch (error) {
          return { name: `model ${name}`, problem: sentence(error) };
        }
      }),
    );
    return [{ name: 'plant', found: `${plant.name}, ${plant.assets.size} assets` }, ...models];
  } catch (error) {
    if (!isBadInput(error)) throw error;
    return [{ name: 'plant', problem: error.message }];
  }
}

async function kafkaAndTopics(kafka: KafkaConfig, partitions: number): Promise<Diagnosis[]> {
  const log = openKafkaLog({ ...kafka, clientId: 'millwright-doctor', logger: createLogger({ service: 'doctor', level: 'silent' }) });
  const at = kafka.brokers.join(',');
  try {
    if (!(await within(log.healthy(), ANSWER_MS, false))) {
      const how = kafka.tls || kafka.sasl ? ' with the given user and certificates' : ' without TLS and user';
      return [{ name: 'Kafka', problem: `${at} does not answer${how}: start it, or correct KAFKA_BROKERS and KAFKA_SECURITY_PROTOCOL.` }];
    }
    const counts = await Promise.all(topicSpecs(partitions).map(async ({ name }) => ({ name, count: await log.partitions(name).catch(() => 0) })));
    const missing = counts.filter(({ count }) => count === 0).map(({ name }) => name);
    const different = counts.filter(({ count }) => count !== 0 && count !== partitions).map(({ name, count }) => `${name} has ${count}`);
    const topics = [
      ...(missing.length > 0 ? [`${missing.join(', ')} do not exist: run millwright topics create.`] : []),
      ...(different.length > 0 ? [`${different.join(', ')} partitions, not ${partitions}: set MILLWRIGHT_PARTITIONS to the number that all have.`] : []),
    ];
    return [
      { name: 'Kafka', found: `${at} answers` },
      { name: 'topics', ...(topics.length > 0 ? { problem: topics.join(' ') } : { found: `${counts.length} of ${partitions} partitions` }) },
    ];
  } finally {
    await log.close();
  }
}

async function redisAndClock(redis: RedisConfig): Promise<Diagnosis[]> {
  try {
    const began = Date.now();
    const { evicts, timeMs } = await redisServer(redis);
    const now = (began + Date.now()) / 2;
    return [
      {
        name: 'Redis',
        ...(evicts === undefined
          ? { found: 'answers, and evicts nothing' }
          : { problem: `its maxmemory-policy is ${evicts}, so it may drop checkpoints, which costs a rebuild each time: set it to noeviction.` }),
      },
      clock('clock of Redis', timeMs, now),
    ];
  } catch (error) {
    return [{ name: 'Redis', problem: `${sentence(error)}: start it, or correct REDIS_URL.` }];
  }
}

function clock(name: string, theirsMs: number, oursMs: number): Diagnosis {
  const apart = Math.round(theirsMs - oursMs);
  const said = `${Math.abs(apart)} ms ${apart < 0 ? 'behind' : 'ahead of'} this one`;
  return Math.abs(apart) <= CLOCK_MS ? { name, found: said } : { name, problem: `${said}: have both machines follow the same time server (NTP, chrony).` };
}

async function service(address: string): Promise<Diagnosis> {
  const name = `service at ${address}`;
  try {
    const began = Date.now();
    const response = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const { checks } = (await response.json()) as { readonly checks: readonly { readonly name: string; readonly problem?: string }[] };
    const problems = checks.flatMap((check) => (check.problem === undefined ? [] : [`${check.name}: ${check.problem}`]));
    if (problems.length > 0) return { name, problem: `not ready: ${problems.join('; ')}. Its log has the cause.` };
    // The header counts in whole seconds.
    const theirs = Date.parse(response.headers.get('date') ?? '') + 500;
    const time = clock('', theirs, (began + Date.now()) / 2);
    return Math.abs(theirs - began) > CLOCK_MS + 500 && time.problem !== undefined ? { name, problem: `its clock is ${time.problem}` } : { name, found: 'ready' };
  } catch (error) {
    return { name, problem: `it does not answer (${sentence(error)}): start it, or correct --http.` };
  }
}

function certificates({ ca, cert, key }: CertificateFiles): Diagnosis[] {
  const found: Diagnosis[] = [];
  for (const path of [ca, cert]) {
    if (path === undefined) continue;
    const name = `certificate ${path}`;
    try {
      const certificate = new X509Certificate(readFileSync(path));
      const days = (certificate.validToDate.getTime() - Date.now()) / DAY_MS;
      if (days < 0) found.push({ name, problem: `it ran out on ${certificate.validTo}: have it renewed; services read gRPC certificates again by themselves, others need a restart.` });
      else if (days < CERTIFICATE_DAYS) found.push({ name, problem: `it runs out on ${certificate.validTo}, in ${Math.floor(days)} days: have it renewed.` });
      else if (path === cert && key !== undefined && !certificate.checkPrivateKey(createPrivateKey(readFileSync(key)))) found.push({ name, problem: `${key} is not its key: give the two that belong together.` });
      else if (path === cert && ca !== undefined && !signedBy(certificate, ca)) found.push({ name, problem: `${ca} did not sign it: give the authority that did.` });
      else found.push({ name, found: `valid until ${certificate.validTo}` });
    } catch (error) {
      found.push({ name, problem: `it can't be read (${sentence(error)}): give a PEM file.` });
    }
  }
  return found;
}

const signedBy = (certificate: X509Certificate, ca: string): boolean => {
  const authority = new X509Certificate(readFileSync(ca));
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
};

async function within<T>(promise: Promise<T>, ms: number, otherwise: T): Promise<T> {
  const { promise: late, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(otherwise), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
