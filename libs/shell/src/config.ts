import { hostname } from 'node:os';
import { LOG_LEVELS } from '@millwright/observability';
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
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: 'give an http:// or https:// address' }).optional(),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .default('1')
    .refine((text) => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1, 'give the share of traces to sample, from 0 to 1')
    .transform(Number),
};

/** What a process on Kafka and Redis needs besides. */
const CLUSTER = {
  KAFKA_BROKERS: z
    .string({ error: 'give the brokers as host:port, separated by commas' })
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .refine((brokers) => brokers.every((broker) => BROKER.test(broker)), 'give the brokers as host:port, separated by commas'),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'give an address like redis://host:6379' }),
};

export const shellEnvironment = z.object(SHELL).transform((env) => ({
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
  otlpEndpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
  sampleRatio: env.OTEL_TRACES_SAMPLER_ARG,
}));

export const clusterEnvironment = z.object(CLUSTER).transform((env) => ({ kafkaBrokers: env.KAFKA_BROKERS, redisUrl: env.REDIS_URL }));

/** Settings that every service has. */
export type ShellConfig = z.output<typeof shellEnvironment>;
export type ClusterConfig = z.output<typeof clusterEnvironment>;

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
