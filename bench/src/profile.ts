import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { homeFolder } from '@millwright/cli/home';
import { SERVICES, ServiceProcess, type ServiceName } from '@millwright/cli/service-process';
import { loadPlant } from '@millwright/plant';
import { startRedis } from '@millwright/servers';
import { GrpcPublisher } from '@millwright/service-ingestion';
import { createSimulator } from '@millwright/simulator';
import { quiet, startBroker } from './broker.js';
import { busyMs, flameGraph, selfTimes, type CallFrame, type CpuProfile } from './flame-graph.js';

const PLANT = fileURLToPath(new URL('../../plants/demo/plant.yaml', import.meta.url));
/** How long the load lasts; PROFILE_SECONDS for a quick look. */
const SECONDS = Number(process.env['PROFILE_SECONDS'] ?? 20);
const TOP = 10;
const DAY_US = 86_400_000_000;

/** Whether a name is that of a service that can be profiled. */
export const isService = (name: string): name is ServiceName => (SERVICES as readonly string[]).includes(name);

/**
 * Runs the demo plant through the cluster as fast as it takes it, with V8's sampling profiler on the services named; writes
 * a .cpuprofile and a flame graph of each of their threads into a folder, and returns a table of where they spent their time.
 */
export async function profile(services: readonly ServiceName[], progress: (line: string) => void): Promise<string> {
  const folder = homeFolder('profiles');
  const scratch = mkdtempSync(join(tmpdir(), 'millwright-profile-'));
  const [broker, redis] = await Promise.all([startBroker(), startRedis()]);
  const settings = (name: ServiceName): Record<string, string> => ({
    MILLWRIGHT_SOURCE_IDLE_MS: '86400000',
    ...(services.includes(name) ? { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --cpu-prof --cpu-prof-dir=${join(scratch, name)}` } : {}),
  });
  const processes = SERVICES.map((name) => new ServiceProcess(name, 1, scratch, PLANT, { brokers: broker.brokers, redisUrl: redis.url }, false, settings(name)));
  try {
    await Promise.all(processes.map((each) => each.ready()));
    progress(`the demo plant runs through the cluster for ${SECONDS} s`);
    await load(processes[0]!.grpc, progress);
  } finally {
    await Promise.all(processes.map((each) => each.stop()));
    await Promise.all([broker.stop(), redis.stop()]);
  }
  const tables = services.map((name) => report(name, join(scratch, name), folder));
  rmSync(scratch, { recursive: true, force: true });
  return `${tables.join('\n')}\nProfiles (.cpuprofile, for the Performance panel of Chrome's DevTools or speedscope) and flame graphs (.svg) are in ${folder}\n`;
}

/** Steps of the simulated plant, a day back so that none lies ahead of the clock. */
async function load(address: string, progress: (line: string) => void): Promise<void> {
  const source = createSimulator(loadPlant(PLANT), 'bench/profile');
  const publisher = new GrpcPublisher({ address, source: source.name, logger: quiet(progress), onRefusal: ({ description }) => progress(description) });
  try {
    const began = performance.now();
    let shiftUs: number | undefined;
    while (performance.now() - began < SECONDS * 1000) {
      const step = source.step();
      shiftUs ??= Math.floor(Date.now() / 1000) * 1e6 - DAY_US - step.advanceToUs;
      const by = shiftUs;
      await publisher.publish({
        blocks: step.blocks.map((block) => ({ ...block, startUs: block.startUs + by })),
        production: step.production.map((record) => ({ ...record, timeUs: record.timeUs + by })),
        advanceToUs: step.advanceToUs + by,
      });
    }
    await publisher.flush();
  } finally {
    publisher.close();
    await source.close();
  }
}

/** Moves the profiles of a service, one a thread, into the folder, draws them, and tells of the busiest functions. */
function report(name: ServiceName, from: string, folder: string): string {
  const threads = readdirSync(from)
    .map((file) => ({ file, profile: unbundled(JSON.parse(readFileSync(join(from, file), 'utf8')) as CpuProfile) }))
    .sort((a, b) => thread(a.file) - thread(b.file));
  return threads
    .map(({ file, profile: recorded }) => {
      const title = thread(file) === 0 ? name : `${name}-worker-${thread(file)}`;
      renameSync(join(from, file), join(folder, `${title}.cpuprofile`));
      writeFileSync(join(folder, `${title}.svg`), flameGraph(recorded, title));
      const lines = selfTimes(recorded, TOP).map(({ name: fn, place, share, milliseconds }) => `  ${(100 * share).toFixed(1).padStart(5)} %  ${milliseconds.toFixed(0).padStart(6)} ms  ${fn}  ${place.split('/').slice(-4).join('/')}\n`);
      return `${title}: ${(busyMs(recorded) / 1000).toFixed(2)} s not idle; by self time:\n${lines.join('')}`;
    })
    .join('');
}

/** The profile with functions where they stand in the sources instead of in the bundle. */
function unbundled(recorded: CpuProfile): CpuProfile {
  const maps = new Map<string, SourceMap>();
  const original = (frame: CallFrame): CallFrame => {
    const { url, lineNumber, columnNumber } = frame;
    if (!url.includes('/bundles/')) return frame;
    let map = maps.get(url);
    if (map === undefined) maps.set(url, (map = new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')) as ConstructorParameters<typeof SourceMap>[0])));
    const found = map.findEntry(lineNumber, columnNumber);
    return 'originalSource' in found ? { ...frame, url: new URL(found.originalSource, url).href, lineNumber: found.originalLine, columnNumber: found.originalColumn } : frame;
  };
  return { ...recorded, nodes: recorded.nodes.map((node) => ({ ...node, callFrame: original(node.callFrame) })) };
}

/** CPU.<date>.<time>.<process>.<thread>.<count>.cpuprofile; the main thread is 0. */
const thread = (file: string): number => Number(file.split('.')[4]);
