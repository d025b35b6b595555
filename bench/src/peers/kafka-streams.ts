import { execFile } from 'node:child_process';
import { cp, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '@millwright/servers';
import { built, MissingPeerError, PEERS, PROTO, type Peer, type PeerCommand } from './peer.js';

const execute = promisify(execFile);
const SOURCE = join(PEERS, 'kafka-streams');

/** Kafka Streams (Java): the processor API with exactly_once_v2, JTransforms for the FFT. */
export const kafkaStreams: Peer = {
  name: 'Kafka Streams',
  id: 'kafka_streams',
  commitMs: 100,
  threads: availableParallelism(),

  async prepare(progress): Promise<PeerCommand> {
    const java = await findCommand('java');
    const maven = await findCommand('mvn');
    if (java === undefined || maven === undefined) {
      throw new MissingPeerError(`Kafka Streams is not measured: it needs a JDK and Maven, and there is no ${java === undefined ? 'java' : 'mvn'} on the PATH.`);
    }
    const target = await built('kafka-streams', [join(SOURCE, 'pom.xml'), join(SOURCE, 'src'), PROTO], async (folder) => {
      progress('building the Kafka Streams peer with Maven, once');
      await cp(SOURCE, folder, { recursive: true });
      try {
        await execute(maven, ['-q', '-B', '-f', join(folder, 'pom.xml'), `-Dproto=${PROTO}`, 'package']);
      } catch (error) {
        const [line] = (error as { stdout?: string }).stdout?.trim().split('\n') ?? [];
        throw new MissingPeerError(`Kafka Streams is not measured: Maven could not build it: ${line || (error as Error).message}`);
      }
    });
    const jars = (await readdir(join(target, 'target/jars'))).map((jar) => join(target, 'target/jars', jar));
    const classPath = [join(target, 'target/classes'), ...jars].join(':');
    return { command: java, args: ['-Xms1g', '-Xmx1g', '-XX:+UseParallelGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath, 'millwright.peer.Main'] };
  },
};
