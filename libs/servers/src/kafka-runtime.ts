import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { cacheFolder, kafkaPins } from './cache.js';
import { findCommand, isExecutable, MissingServerError, run } from './commands.js';

/** All that a broker needs to start fast, prepared once in the cache folder. */
export interface KafkaRuntime {
  readonly java: string;
  readonly classPath: string;
  /** Data folder of a formatted, empty broker, to be copied. */
  readonly storage: string;
  /** AppCDS archive of the broker's classes; made when it is missing. */
  readonly classArchive: string;
}

/** Broker, node and cluster are the same in every data folder, since all are copies of one formatted folder. */
export const NODE_ID = 1;

const MAVEN_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Finds Java, fetches and checks the jars and formats an empty data folder, as far as that has not been done before. */
export async function prepareKafka(): Promise<KafkaRuntime> {
  const java = await findJava();
  const pins = await readFile(join(kafkaPins, 'jars.sha256'), 'utf8');
  const home = join(cacheFolder(), `kafka-${hash(pins).slice(0, 12)}`);
  const jars = join(home, 'jars');
  if (!(await exists(jars))) await appear(jars, fetchJars);
  const names = await verifyJars(jars, pins);
  const classPath = names.map((name) => join(jars, name)).join(delimiter);
  const storage = join(home, 'storage');
  // An archive serves one Java only: its path and build time name it.
  const { mtimeMs } = await stat(java);
  const classArchive = join(home, `classes-${hash(`${java} ${mtimeMs}`).slice(0, 12)}.jsa`);
  if (!(await exists(storage))) {
    await requireJava17(java);
    await appear(storage, (folder) => format(java, classPath, folder));
  }
  return { java, classPath, storage, classArchive };
}

async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  const java = home ? join(home, 'bin/java') : await findCommand('java');
  if (java && (await isExecutable(java))) return realpath(java);
  throw new MissingServerError(
    home
      ? `JAVA_HOME is ${home}, where there is no bin/java: set it to a Java 17 or newer, or unset it.`
      : 'Kafka needs Java 17 or newer, and there is none on the PATH: install it (Debian and Ubuntu: apt-get install openjdk-17-jre-headless) or set KAFKA_BROKERS to a running Kafka.',
  );
}

async function requireJava17(java: string): Promise<void> {
  const { stderr } = await run(java, ['-version']);
  const major = Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1]);
  if (major >= 17) return;
  throw new MissingServerError(`Kafka needs Java 17 or newer, and ${java} is version ${major}: set JAVA_HOME to a newer one or set KAFKA_BROKERS to a running Kafka.`);
}

/** Copies the jars of the pinned pom from where Maven is set up to get them. */
export async function fetchJars(folder: string): Promise<void> {
  const maven = await findCommand('mvn');
  if (!maven) {
    throw new MissingServerError(
      "Kafka's jars are fetched by Maven, and there is no mvn on the PATH: install it (Debian and Ubuntu: apt-get install maven) or set KAFKA_BROKERS to a running Kafka.",
    );
  }
  // Maven writes into the project's folder at times; the checkout stays clean.
  const project = await mkdtemp(join(tmpdir(), 'millwright-maven-'));
  try {
    await cp(join(kafkaPins, 'pom.xml'), join(project, 'pom.xml'));
    await run(maven, ['-q', '-B', '-f', join(project, 'pom.xml'), MAVEN_GOAL, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]);
  } catch (error) {
    const output = (error as { stdout?: string }).stdout?.trim().split('\n')[0];
    throw new Error(`Maven could not fetch Kafka's jars: ${output || (error as Error).message}`);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

/** Names of the jars. @throws when one is missing, or is not the one that was pinned. */
async function verifyJars(folder: string, pins: string): Promise<string[]> {
  const pinned = pins.trim().split('\n').map((line) => line.split('  ') as [string, string]);
  await Promise.all(
    pinned.map(async ([sum, name]) => {
      const bytes = await readFile(join(folder, name)).catch(() => undefined);
      if (bytes && hash(bytes) === sum) return;
      throw new Error(`${name} in ${folder} is ${bytes ? 'not the jar that kafka/jars.sha256 names' : 'missing'}: remove the folder, and it is fetched anew.`);
    }),
  );
  return pinned.map(([, name]) => name);
}

/** Lines of jars.sha256 for the jars of a folder. */
export async function checksums(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jar')).sort();
  const lines = await Promise.all(names.map(async (name) => `${hash(await readFile(join(folder, name)))}  ${name}\n`));
  return lines.join('');
}

async function format(java: string, classPath: string, folder: string): Promise<void> {
  const properties = `${folder}.properties`;
  try {
    await writeFile(properties, propertiesOf({ ...BROKER, 'log.dirs': folder, ...addresses(9092, 9093) }));
    await run(java, ['-cp', classPath, 'kafka.tools.StorageTool', 'format', '--config', properties, '--cluster-id', 'bWlsbHdyaWdodC1sb2NhbA']);
  } finally {
    await rm(properties, { force: true });
  }
}

/** Makes a folder aside and moves it into place whole, so that processes which do so at the same time do not disturb each other. */
async function appear(folder: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const aside = `${folder}.${process.pid}`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { recursive: true });
  try {
    await fill(aside);
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    if (!(await exists(folder))) throw error;
  }
}

const hash = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

export const propertiesOf = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');

export const addresses = (port: number, controllerPort: number): Record<string, string> => ({
  listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  'controller.quorum.voters': `${NODE_ID}@127.0.0.1:${controllerPort}`,
});

/** One node that is broker and controller, quick to start and to come back after a kill. */
export const BROKER: Readonly<Record<string, string | number>> = {
  'process.roles': 'broker,controller',
  'node.id': NODE_ID,
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'auto.create.topics.enable': 'false',
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 6,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 6,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
  // After kill -9 the controller gives the broker its partitions back when the old session has run out.
  'broker.session.timeout.ms': 2_000,
  'broker.heartbeat.interval.ms': 300,
  // There is no other broker to hand leadership to.
  'controlled.shutdown.enable': 'false',
  'log.cleaner.dedupe.buffer.size': 16_777_216,
};
