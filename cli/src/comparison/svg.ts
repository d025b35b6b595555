/** Plots as inline SVG; colours and fonts come from the page's style sheet. */

export const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const WIDTH = 340;
const HEIGHT = 260;
const MARGIN = { left: 60, right: 12, top: 10, bottom: 40 };
const MOST_TICKS = 6;
/** More dots than this are smaller, or they hide each other. */
const FEW_DOTS = 30;
/** Characters of a class that fit beside a confusion. */
const LONGEST = 24;

export interface Axis {
  readonly title: string;
  readonly from: number;
  readonly to: number;
  /** Powers of ten are equally far apart. */
  readonly logarithmic?: boolean;
}

export interface Layer {
  readonly name: string;
  /** CSS class: "a", "b" or "ideal". */
  readonly style: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly as: 'line' | 'dots';
}

/** Lines or dots between two axes. */
export function chart(x: Axis, y: Axis, layers: readonly Layer[]): string {
  const place = (axis: Axis, value: number): number => {
    const at = (v: number): number => (axis.logarithmic ? Math.log10(v) : v);
    return (at(value) - at(axis.from)) / (at(axis.to) - at(axis.from) || 1);
  };
  const px = (value: number): number => MARGIN.left + place(x, value) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (value: number): number => HEIGHT - MARGIN.bottom - place(y, value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const marks = [
    ...ticksOf(x).map((value) => `<line class="grid" x1="${n(px(value))}" x2="${n(px(value))}" y1="${MARGIN.top}" y2="${HEIGHT - MARGIN.bottom}"/><text x="${n(px(value))}" y="${HEIGHT - MARGIN.bottom + 14}" text-anchor="middle">${label(value)}</text>`),
    ...ticksOf(y).map((value) => `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${n(py(value))}" y2="${n(py(value))}"/><text x="${MARGIN.left - 6}" y="${n(py(value) + 4)}" text-anchor="end">${label(value)}</text>`),
    `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(x.title)}</text>`,
    `<text transform="translate(12 ${(HEIGHT - MARGIN.bottom + MARGIN.top) / 2}) rotate(-90)" text-anchor="middle">${escaped(y.title)}</text>`,
  ];
  const drawn = layers.map(({ style, points, as }) =>
    as === 'line' ? `<polyline class="${style}" points="${points.map(([a, b]) => `${n(px(a))},${n(py(b))}`).join(' ')}"/>` : points.map(([a, b]) => `<circle class="${style}" cx="${n(px(a))}" cy="${n(py(b))}" r="${points.length > FEW_DOTS ? 2 : 3}"/>`).join(''),
  );
  const named = layers.filter(({ name }) => name !== '');
  const legend = named.length < 2 ? [] : named.map(({ name, style }, i) => `<g transform="translate(${MARGIN.left + 8} ${MARGIN.top + 12 + 15 * i})"><line class="key ${style}" x1="0" x2="16" y1="-4" y2="-4"/><text x="21">${escaped(name)}</text></g>`);
  return `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(`${y.title} by ${x.title}`)}">${[...marks, ...drawn, ...legend].join('')}</svg>`;
}

/** Shares of each row of counts as shades, true classes down and judged ones across. */
export function heatMap(labels: readonly string[], counts: readonly (readonly number[])[]): string {
  const cell = labels.length > 12 ? 22 : 34;
  const room = 14 + 6 * Math.max(...labels.map((each) => Math.min(LONGEST, each.length)));
  const short = (text: string): string => escaped(text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
  const [left, top] = [room + 16, room + 16];
  const size = labels.length * cell;
  const cells = counts.flatMap((row, actual) => {
    const total = row.reduce((sum, each) => sum + each, 0);
    return row.map((count, judged) => {
      const share = total === 0 ? 0 : count / total;
      const text = share >= 0.005 ? `<text class="${share > 0.5 ? 'on' : ''}" x="${left + judged * cell + cell / 2}" y="${top + actual * cell + cell / 2 + 3}" text-anchor="middle">${Math.round(100 * share)}</text>` : '';
      const box = `x="${left + judged * cell}" y="${top + actual * cell}" width="${cell - 1}" height="${cell - 1}"`;
      return `<rect class="cell" ${box}/><rect class="${actual === judged ? 'right' : 'wrong'}" style="fill-opacity:${share.toFixed(3)}" ${box}><title>${escaped(labels[actual]!)} judged ${escaped(labels[judged]!)}: ${count} of ${total}</title></rect>${text}`;
    });
  });
  const names = labels.flatMap((name, i) => [
    `<text x="${left - 5}" y="${top + i * cell + cell / 2 + 3}" text-anchor="end">${short(name)}</text>`,
    `<text transform="translate(${left + i * cell + cell / 2 + 3} ${top - 5}) rotate(-90)">${short(name)}</text>`,
  ]);
  const titles = `<text x="${left + size / 2}" y="10" text-anchor="middle">judged</text><text transform="translate(10 ${top + size / 2}) rotate(-90)" text-anchor="middle">true</text>`;
  const width = left + size + 4;
  return `<svg class="heat" style="width:${width}px" viewBox="0 0 ${width} ${top + size + 4}" role="img" aria-label="confusion, percent of each true class">${cells.join('')}${names.join('')}${titles}</svg>`;
}

/** Round numbers: powers of ten, or steps of 1, 2 or 5 times one. */
function ticksOf({ from, to, logarithmic }: Axis): number[] {
  const between = (first: number, last: number, of: (i: number) => number): number[] => Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => of(first + i));
  if (logarithmic) return between(Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9), (power) => 10 ** power);
  const rough = (to - from || 1) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  return between(Math.ceil(from / step - 1e-9), Math.floor(to / step + 1e-9), (i) => Number((i * step).toPrecision(12)));
}

const n = (value: number): string => value.toFixed(1);

function label(value: number): string {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return value.toExponential(0);
  return String(Number(value.toPrecision(3)));
}
