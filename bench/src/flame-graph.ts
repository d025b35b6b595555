/** A function, and where it stands; lines and columns count from 0. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** The parts of a V8 CPU profile that are used here (Chrome DevTools Protocol, Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  /** Node that each sample fell in. */
  readonly samples: readonly number[];
  /** Microseconds between samples. */
  readonly timeDeltas: readonly number[];
}

/** A function as it was called from its caller; calls of the same function from the same place are one frame. */
interface Frame {
  readonly name: string;
  readonly place: string;
  selfUs: number;
  totalUs: number;
  readonly callees: Map<string, Frame>;
}

const WIDTH = 1600;
const ROW = 17;
/** Narrower frames are left out, pixels. */
const LEAST_WIDTH = 0.4;
const CHARACTER = 6.6;
/** Of a thread that waits. */
const IDLE = '(idle)';

/** Call tree of a profile without the time in which the thread was idle. */
function callTree({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const selfUs = new Map<number, number>();
  samples.forEach((id, i) => selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[i] ?? 0)));
  const root: Frame = { name: 'all', place: '', selfUs: 0, totalUs: 0, callees: new Map() };
  const add = (id: number, caller: Frame): number => {
    const { callFrame, children = [] } = byId.get(id)!;
    if (callFrame.functionName === IDLE) return 0;
    const name = callFrame.functionName || '(anonymous)';
    const place = callFrame.url === '' ? '' : `${callFrame.url.replace(/^file:\/\//, '')}:${callFrame.lineNumber + 1}`;
    const key = `${name} ${place}`;
    let frame = caller.callees.get(key);
    if (frame === undefined) caller.callees.set(key, (frame = { name, place, selfUs: 0, totalUs: 0, callees: new Map() }));
    const own = selfUs.get(id) ?? 0;
    let total = own;
    for (const child of children) total += add(child, frame);
    frame.selfUs += own;
    frame.totalUs += total;
    return total;
  };
  const top = nodes[0]!;
  for (const child of top.children ?? []) root.totalUs += add(child, root);
  return root;
}

/** One line of the table of functions by the time spent in themselves. */
export interface SelfTime {
  readonly name: string;
  readonly place: string;
  /** Share of the time in which the thread was not idle. */
  readonly share: number;
  readonly milliseconds: number;
}

/** The functions with the most self time, most first. */
export function selfTimes(profile: CpuProfile, count: number): SelfTime[] {
  const root = callTree(profile);
  const byFunction = new Map<string, { name: string; place: string; us: number }>();
  const visit = ({ name, place, selfUs, callees }: Frame): void => {
    const key = `${name} ${place}`;
    const entry = byFunction.get(key) ?? { name, place, us: 0 };
    entry.us += selfUs;
    byFunction.set(key, entry);
    for (const callee of callees.values()) visit(callee);
  };
  visit(root);
  return [...byFunction.values()]
    .sort((a, b) => b.us - a.us)
    .slice(0, count)
    .map(({ name, place, us }) => ({ name, place, share: us / root.totalUs, milliseconds: us / 1000 }));
}

/** Milliseconds in which the thread was not idle. */
export const busyMs = (profile: CpuProfile): number => callTree(profile).totalUs / 1000;

/** A flame graph as an SVG: callers above their callees, as wide as the time they took; pointing at a frame tells what and where it is. */
export function flameGraph(profile: CpuProfile, title: string): string {
  const root = callTree(profile);
  const frames: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, x: number, level: number): void => {
    const width = (frame.totalUs / root.totalUs) * WIDTH;
    if (width < LEAST_WIDTH) return;
    depth = Math.max(depth, level);
    const y = (level + 2) * ROW;
    const share = ((100 * frame.totalUs) / root.totalUs).toFixed(1);
    const characters = Math.floor((width - 4) / CHARACTER);
    const label = characters < 3 ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escaped(frame.name.slice(0, characters))}</text>`;
    frames.push(`<g><title>${escaped(`${frame.name} ${frame.place}\n${share} %, itself ${((100 * frame.selfUs) / root.totalUs).toFixed(1)} %`)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${color(frame)}"/>${label}</g>`);
    for (const callee of [...frame.callees.values()].sort((a, b) => b.totalUs - a.totalUs)) {
      draw(callee, x, level + 1);
      x += (callee.totalUs / root.totalUs) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (depth + 4) * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="4" y="14">${escaped(title)}: ${(root.totalUs / 1e6).toFixed(2)} s not idle</text>
${frames.join('\n')}
</svg>
`;
}

/** Own code, dependencies and the runtime are told apart by colour. */
function color({ place }: Frame): string {
  if (place === '') return '#c9c9c9';
  if (place.startsWith('node:')) return '#b5d3a8';
  return place.includes('/node_modules/') ? '#9fc2e7' : '#f3b562';
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
