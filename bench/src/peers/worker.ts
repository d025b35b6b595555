import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceProcess, type ServiceName } from '@millwright/cli/service-process';
import type { Plant } from '@millwright/plant';
import { Child } from '@millwright/servers';
import { cpuSeconds } from '../cpu.js';
import { writeJob, type PeerJob } from './job.js';
import type { PeerCommand } from './peer.js';

/** A process that does a job on Kafka, a service of this project or a peer. It can be started again and goes on where it was. */
export interface Worker {
  readonly name: string;
  /** Topic that it writes. */
  readonly output: string;
  start(): Promise<RunningWorker>;
}

export interface RunningWorker {
  /** Processor time that it has used so far with all its threads, user and system. */
  cpuSeconds(): number;
  /** Rejects when it ends by itself. */
  readonly died: Promise<never>;
  stop(): Promise<void>;
}

/** The real service in so many processes, as `npm run cluster` runs it. */
export function serviceWorker(
  service: ServiceName, instances: number, output: string, folder: string, plantPath: string, servers: { readonly brokers: readonly string[]; readonly redisUrl: string },
): Worker {
  let starts = 0;
  return {
    name: instances === 1 ? 'Millwright' : `Millwright, ${instances} instances`,
    output,
    start(): Promise<RunningWorker> {
      const processes = Array.from({ length: instances }, () => new ServiceProcess(service, ++starts, folder, plantPath, servers, false));
      return Promise.resolve({
        cpuSeconds: () => processes.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
        died: Promise.race(processes.map(({ died }) => died)).then((reason) => Promise.reject(new Error(reason))),
        async stop() {
          await Promise.all(processes.map((process) => process.stop()));
        },
      });
    },
  };
}

/** How long a peer may take to end in order. */
const STOP_MS = 30_000;
const WATCH_MS = 200;

export function peerWorker(name: string, { command, args }: PeerCommand, job: PeerJob, plant: Plant): Worker {
  const path = join(job.folder, 'job.json');
  const logFile = join(job.folder, 'peer.log');
  writeJob(path, job, plant);
  return {
    name,
    output: job.output,
    async start(): Promise<RunningWorker> {
      const child = await Child.start({ command, args: [...args, path], logFile, outlive: false });
      let watch: NodeJS.Timeout | undefined;
      const died = new Promise<never>((_, reject) => {
        watch = setInterval(() => {
          if (child.running) return;
          clearInterval(watch);
          reject(new Error(`${name} ended by itself; the end of its log:\n${readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n')}`));
        }, WATCH_MS);
      });
      return {
        cpuSeconds: () => cpuSeconds(child.pid),
        died,
        async stop() {
          clearInterval(watch);
          await child.stop(STOP_MS);
        },
      };
    },
  };
}
