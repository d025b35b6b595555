import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.js';
import { addresses, BROKER, exists, prepareKafka, propertiesOf, type KafkaRuntime } from './kafka-runtime.js';
import { freePorts, isListening } from './ports.js';

export interface KafkaOptions {
  /** Port of 127.0.0.1 to listen on; a free one by default. */
  readonly port?: number;
  /** Where data and logs are kept; by default a temporary folder that stop() removes. */
  readonly folder?: string;
  /** Lives on when this process ends. */
  readonly outlive?: boolean;
  /** Broker settings beside the usual ones. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** JVM options; by default those for a quick start in little memory, which cost some throughput. */
  readonly jvm?: readonly string[];
}

export interface KafkaServer {
  readonly brokers: readonly string[];
  readonly pid: number;
  readonly logFile: string;
  /** Sends a signal to the broker; with SIGKILL, resolves when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again after a kill, on the same port and data; resolves when it takes records. */
  restart(): Promise<void>;
  /** Ends it, by force if need be, and removes its temporary folder. */
  stop(): Promise<void>;
}

const QUICK_START = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const STARTED = 'Kafka Server started';
const START_TIMEOUT_MS = 60_000;

/**
 * Starts a Kafka of one node (KRaft) and resolves when it takes records.
 * @throws MissingServerError when this machine lacks Java or Maven.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const runtime = await prepareKafka();
  if (!(await exists(runtime.classArchive))) await archiveClasses(runtime);
  return Broker.start(runtime, [`-XX:SharedArchiveFile=${runtime.classArchive}`, '-Xshare:auto'], options);
}

/** Starts a broker once and ends it, for the JVM to keep the classes it loaded: the next start takes half the time. */
async function archiveClasses(runtime: KafkaRuntime): Promise<void> {
  const aside = `${runtime.classArchive}.${process.pid}`;
  const broker = await Broker.start(runtime, [`-XX:ArchiveClassesAtExit=${aside}`], {});
  await broker.stop(60_000);
  // A Java without class data sharing writes none and starts as it did before.
  if (await exists(aside)) await rename(aside, runtime.classArchive);
}

class Broker implements KafkaServer {
  readonly brokers: readonly string[];
  readonly logFile: string;
  #child!: Child;

  private constructor(
    private readonly java: string,
    private readonly args: readonly string[],
    port: number,
    private readonly folder: string,
    private readonly temporary: boolean,
    private readonly outlive: boolean,
  ) {
    this.brokers = [`127.0.0.1:${port}`];
    this.logFile = join(folder, 'kafka.log');
  }

  static async start(runtime: KafkaRuntime, archive: readonly string[], options: KafkaOptions): Promise<Broker> {
    const [freePort, controllerPort] = (await freePorts(2)) as [number, number];
    const port = options.port ?? freePort;
    if (await isListening(port)) throw new Error(`Kafka cannot listen on port ${port}, which is in use: choose another one.`);
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'millwright-kafka-')));
    const data = join(folder, 'data');
    await mkdir(folder, { recursive: true });
    if (!(await exists(data))) await cp(runtime.storage, data, { recursive: true });
    const properties = join(folder, 'server.properties');
    await writeFile(properties, propertiesOf({ ...BROKER, ...addresses(port, controllerPort), 'log.dirs': data, ...options.settings }));
    const logging = [
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    ];
    const args = [...(options.jvm ?? QUICK_START), ...archive, ...logging, '-cp', runtime.classPath, 'kafka.Kafka', properties];
    const broker = new Broker(runtime.java, args, port, folder, options.folder === undefined, options.outlive ?? false);
    await broker.#launch();
    return broker;
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(signal: NodeJS.Signals): Promise<void> {
    return this.#child.kill(signal);
  }

  async restart(): Promise<void> {
    if (this.#child.running) throw new Error('Kafka is running: kill or stop it before it is started again.');
    await this.#launch();
  }

  async stop(graceMs?: number): Promise<void> {
    await this.#child.stop(graceMs);
    if (this.temporary) await rm(this.folder, { recursive: true, force: true });
  }

  async #launch(): Promise<void> {
    const before = await this.#starts();
    this.#child = await Child.start({ command: this.java, args: this.args, logFile: this.logFile, outlive: this.outlive, temporary: this.temporary ? this.folder : undefined });
    await this.#child.untilReady('Kafka', this.logFile, async () => (await this.#starts()) > before, START_TIMEOUT_MS);
  }

  /** How often the log says that the broker has started. It says so when the controller has let the broker in, so that it leads its partitions. */
  async #starts(): Promise<number> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '');
    return log.split(STARTED).length - 1;
  }
}
