import { accessSync, constants } from 'node:fs';
import { hostname } from 'node:os';
import { LOG_LEVELS } from '@millwright/observability';
import type { KafkaOptions, RedisOptions, TlsFiles } from '@millwright/streams';
import { z } from 'zod';

/** Every variable of the environment that is wrong, one sentence each. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly badInput = true;

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** A whole number in a variable. */
export const integer = (min: number, max: number, standard: number) =>
  z
    .string()
    .default(String(standard))
    .refine((text) => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max, `give a whole number from ${min} to ${max}`)
    .transform(Number);

const BROKER = /^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

/** What every process needs, wherever its log is. */
const SHELL = {
  MILLWRIGHT_PLANT: z.string({ error: 'give the path of a plant.yaml' }).min(1, 'give the path of a plant.yaml'),
  MILLWRIGHT_INSTANCE: z
    .string()
    .default(() => hostname())
    .refine((text) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text), 'give letters, digits, ".", "_" and "-", unique among the processes of a service'),
  MILLWRIGHT_PARTITIONS: integer(1, 1000, 6),
  MILLWRIGHT_CHECKPOINT_MS: integer(100, 3_600_000, 5_000),
  MILLWRIGHT_LIVENESS_MS: integer(1_000, 3_600_000, 60_000),
  MILLWRIGHT_SHUTDOWN_MS: integer(0, 10_000, 10_000),
  GRPC_PORT: integer(0, 65_535, 50_051),
  HTTP_PORT: integer(0, 65_535, 8_080),
  LISTEN_HOST: z.string().min(1, 'give a host name or an address to listen on').default('0.0.0.0'),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `give one of ${LOG_LEVELS.join(', ')}` }).default('info'),
  OTEL_SDK_DISABLED: z.enum(['true', 'false'], { error: 'give true or false' }).default('false'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: 'give an http:// or https:// address' }).optional(),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .default('1')
    .refine((text) => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1, 'give the share of traces to sample, from 0 to 1')
    .transform(Number),
};

const canBeRead = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};
const pem = z.string().refine(canBeRead, 'give the path of a PEM file that can be read').optional();

const KAFKA = {
  KAFKA_BROKERS: z
    .string({ error: 'give the brokers as host:port, separated by commas' })
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .refine((brokers) => brokers.every((broker) => BROKER.test(broker)), 'give the brokers as host:port, separated by commas'),
  KAFKA_SECURITY_PROTOCOL: z.enum(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], { error: 'give one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL' }).default('PLAINTEXT'),
  KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512'], { error: 'give one of plain, scram-sha-256, scram-sha-512' }).default('scram-sha-512'),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().optional(),
  KAFKA_TLS_CA_FILE: pem,
  KAFKA_TLS_CERT_FILE: pem,
  KAFKA_TLS_KEY_FILE: pem,
};

const REDIS = {
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'give an address like redis://host:6379' }),
  REDIS_TLS_CA_FILE: pem,
  REDIS_TLS_CERT_FILE: pem,
  REDIS_TLS_KEY_FILE: pem,
};

/** TLS of the gRPC server: with certificate and key it is on, with a CA clients have to show a certificate, too. */
const GRPC_TLS = { GRPC_TLS_CERT_FILE: pem, GRPC_TLS_KEY_FILE: pem, GRPC_TLS_CA_FILE: pem };

/** What is missing of a pair of variables, of which neither does anything alone. */
const together = (names: readonly [string, string], given: string | undefined, other: string | undefined, add: (name: string, message: string) => void): void => {
  if (given !== undefined && other === undefined) add(names[1], `${names[0]} is given, and neither works without the other`);
  if (given === undefined && other !== undefined) add(names[0], `${names[1]} is given, and neither works without the other`);
};

const tlsFiles = (ca: string | undefined, cert: string | undefined, key: string | undefined): TlsFiles => ({
  ...(ca === undefined ? {} : { ca }),
  ...(cert === undefined ? {} : { cert }),
  ...(key === undefined ? {} : { key }),
});

export const shellEnvironment = z
  .object({ ...SHELL, ...GRPC_TLS })
  .superRefine((env, context) => {
    const add = issueOf(context);
    together(['GRPC_TLS_CERT_FILE', 'GRPC_TLS_KEY_FILE'], env.GRPC_TLS_CERT_FILE, env.GRPC_TLS_KEY_FILE, add);
    if (env.GRPC_TLS_CA_FILE !== undefined && env.GRPC_TLS_CERT_FILE === undefined) {
      add('GRPC_TLS_CERT_FILE', 'GRPC_TLS_CA_FILE asks clients for certificates, which needs one of the server');
    }
  })
  .transform((env) => ({
    plantPath: env.MILLWRIGHT_PLANT,
    /** Tells this process from others of the same service. */
    instance: env.MILLWRIGHT_INSTANCE,
    partitions: env.MILLWRIGHT_PARTITIONS,
    checkpointMs: env.MILLWRIGHT_CHECKPOINT_MS,
    /** A last poll older than this means that the process is stuck. */
    livenessMs: env.MILLWRIGHT_LIVENESS_MS,
    /** How long open calls may take to end at shutdown. */
    shutdownMs: env.MILLWRIGHT_SHUTDOWN_MS,
    host: env.LISTEN_HOST,
    grpcPort: env.GRPC_PORT,
    httpPort: env.HTTP_PORT,
    logLevel: env.LOG_LEVEL,
    /** No metrics and no traces. */
    telemetryDisabled: env.OTEL_SDK_DISABLED === 'true',
    otlpEndpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    sampleRatio: env.OTEL_TRACES_SAMPLER_ARG,
    /** PEM files of the gRPC server; undefined: no TLS. */
    grpcTls: grpcTls(env.GRPC_TLS_CERT_FILE, env.GRPC_TLS_KEY_FILE, env.GRPC_TLS_CA_FILE),
  }));

export const kafkaEnvironment = z
  .object(KAFKA)
  .superRefine((env, context) => {
    const add = issueOf(context);
    const asks = env.KAFKA_SECURITY_PROTOCOL.startsWith('SASL');
    if (asks && env.KAFKA_SASL_USERNAME === undefined) add('KAFKA_SASL_USERNAME', `KAFKA_SECURITY_PROTOCOL is ${env.KAFKA_SECURITY_PROTOCOL}, which needs a user`);
    if (asks && env.KAFKA_SASL_PASSWORD === undefined) add('KAFKA_SASL_PASSWORD', `KAFKA_SECURITY_PROTOCOL is ${env.KAFKA_SECURITY_PROTOCOL}, which needs a password`);
    together(['KAFKA_TLS_CERT_FILE', 'KAFKA_TLS_KEY_FILE'], env.KAFKA_TLS_CERT_FILE, env.KAFKA_TLS_KEY_FILE, add);
    if (env.KAFKA_TLS_CA_FILE !== undefined && !env.KAFKA_SECURITY_PROTOCOL.endsWith('SSL')) {
      add('KAFKA_SECURITY_PROTOCOL', `it is ${env.KAFKA_SECURITY_PROTOCOL}, which uses no KAFKA_TLS_* file: set SSL or SASL_SSL, or leave the files out`);
    }
  })
  .transform((env): KafkaConfig => {
    const sasl = { mechanism: env.KAFKA_SASL_MECHANISM, username: env.KAFKA_SASL_USERNAME ?? '', password: env.KAFKA_SASL_PASSWORD ?? '' };
    return {
      brokers: env.KAFKA_BROKERS,
      ...(env.KAFKA_SECURITY_PROTOCOL.endsWith('SSL') ? { tls: tlsFiles(env.KAFKA_TLS_CA_FILE, env.KAFKA_TLS_CERT_FILE, env.KAFKA_TLS_KEY_FILE) } : {}),
      ...(env.KAFKA_SECURITY_PROTOCOL.startsWith('SASL') ? { sasl } : {}),
    };
  });

export const redisEnvironment = z
  .object(REDIS)
  .superRefine((env, context) => together(['REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'], env.REDIS_TLS_CERT_FILE, env.REDIS_TLS_KEY_FILE, issueOf(context)))
  .transform((env): RedisConfig => ({
    url: env.REDIS_URL,
    ...(env.REDIS_URL.startsWith('rediss:') ? { tls: tlsFiles(env.REDIS_TLS_CA_FILE, env.REDIS_TLS_CERT_FILE, env.REDIS_TLS_KEY_FILE) } : {}),
  }));

/** How to reach Kafka. */
export type KafkaConfig = Pick<KafkaOptions, 'brokers' | 'tls' | 'sasl'>;

/** How to reach Redis. */
export type RedisConfig = Pick<RedisOptions, 'url' | 'tls'>;

/** PEM files of a gRPC server; with `ca`, clients have to show a certificate that it signed. */
export interface GrpcTls {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

function grpcTls(cert: string | undefined, key: string | undefined, ca: string | undefined): GrpcTls | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key, ...(ca === undefined ? {} : { ca }) };
}

const issueOf =
  (context: z.RefinementCtx) =>
  (name: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [name], message });

/** Settings that every service has. */
export type ShellConfig = z.output<typeof shellEnvironment>;

/**
 * Reads settings from the environment; an empty variable counts as absent. Several parts are read together, so that
 * all mistakes of all of them are told at once.
 * @throws ConfigError naming each variable that is wrong, its value and what is allowed.
 */
export function readEnvironment<P extends Readonly<Record<string, z.ZodType>>>(parts: P, env: NodeJS.ProcessEnv): { [K in keyof P]: z.output<P[K]> } {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(parts)) {
    const result = part.safeParse(given);
    if (result.success) settings[name] = result.data;
    else for (const issue of result.error.issues) problems.push(sentence(String(issue.path[0]), given[String(issue.path[0])], issue.message));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return settings as { [K in keyof P]: z.output<P[K]> };
}

function sentence(name: string, value: string | undefined, allowed: string): string {
  return value === undefined ? `${name} is not set: ${allowed}.` : `${name} is "${withoutPassword(value)}": ${allowed}.`;
}

/** Addresses may carry credentials, and messages end up in logs. */
const withoutPassword = (value: string): string => value.replace(/(\/\/[^:@/]*:)[^@/]*@/, '$1***@');
