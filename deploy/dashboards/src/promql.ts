import { ATTRIBUTES, METRICS } from '@millwright/observability';

/** Queries over the metrics of libs/observability/telemetry.yaml, which are named through it: a metric that is renamed takes its panels along. */

type Metric = (typeof METRICS)[keyof typeof METRICS];
type Histogram = Extract<Metric, { readonly kind: 'histogram' }>;

/** Label matchers: `{ outcome: '="late"' }`, by the attribute's name in code. */
export type Matchers = Partial<Record<keyof typeof ATTRIBUTES | 'le', string>>;
export type Label = keyof typeof ATTRIBUTES | 'le' | 'instance';

/** Whole installations are told apart by namespace; without Kubernetes there is none, and `.*` fits that too. */
const INSTALLATION = 'namespace=~"$namespace"';

export const label = (name: Label): string => (name === 'le' || name === 'instance' ? name : ATTRIBUTES[name].replaceAll('.', '_'));

function selector(name: string, matchers: Matchers): string {
  return `${name}{${[INSTALLATION, ...Object.entries(matchers).map(([each, match]) => label(each as Label) + match)].join(', ')}}`;
}

/** The series of a metric. */
export const series = ({ prometheus }: Metric, matchers: Matchers = {}): string => selector(prometheus, matchers);

export const rate = (metric: Metric, matchers: Matchers = {}): string => `rate(${series(metric, matchers)}[$__rate_interval])`;

/**
 * How much a counter has grown in a range. increase() alone leaves out series that were born inside of it, so that the first
 * alarm of a machine would never be seen.
 */
export const grown = (metric: Metric, matchers: Matchers = {}, range = '$__range'): string => grownSeries(series(metric, matchers), range);

const grownSeries = (all: string, range: string): string => `((${all} unless ${all} offset ${range}) or increase(${all}[${range}]))`;

export const sum = (of: string, by: readonly Label[] = []): string => aggregate('sum', of, by);
export const max = (of: string, by: readonly Label[] = []): string => aggregate('max', of, by);
export const count = (of: string, by: readonly Label[] = []): string => aggregate('count', of, by);
const aggregate = (how: string, of: string, by: readonly Label[]): string => `${how}${by.length === 0 ? '' : ` by (${by.map(label).join(', ')})`} (${of})`;

/** The ledger's count of an outcome: of each partition the greatest, since the instance that had it before still tells of it. */
export const ledger = (outcome: string, matchers: Matchers = {}): string =>
  sum(max(series(METRICS.ledgerRecords, { ...matchers, outcome }), ['processor', 'topic', 'partition', 'outcome']));

type Part = 'count' | 'sum' | 'bucket';

/** The series of a part of a histogram. */
export const seriesOf = ({ prometheus }: Histogram, part: Part, matchers: Matchers = {}): string => selector(`${prometheus}_${part}`, matchers);

/** Measurements a second, sum a second, or those below a boundary, over a range. */
export const rateOf = (metric: Histogram, part: Part, matchers: Matchers = {}, range = '$__rate_interval'): string => `rate(${seriesOf(metric, part, matchers)}[${range}])`;

/** q-quantile of a histogram. */
export const quantile = (q: number, metric: Histogram, by: readonly Label[] = [], matchers: Matchers = {}): string =>
  `histogram_quantile(${q}, ${sum(rateOf(metric, 'bucket', matchers), ['le', ...by])})`;

/** q-quantile of what was measured in a range, also where it was the first of its kind. */
export const quantileOver = (q: number, metric: Histogram, range: string): string =>
  `histogram_quantile(${q}, ${sum(grownSeries(seriesOf(metric, 'bucket'), range), ['le'])})`;

/** Mean of a histogram. */
export const mean = (metric: Histogram, by: readonly Label[] = [], matchers: Matchers = {}): string => `${sum(rateOf(metric, 'sum', matchers), by)} / ${sum(rateOf(metric, 'count', matchers), by)}`;

/** What a panel shows where there is nothing yet: no dead letters are 0 dead letters. */
export const orZero = (of: string): string => `${of} or vector(0)`;

/** Legend from labels. */
export const legend = (...labels: Label[]): string => labels.map((each) => `{{${label(each)}}}`).join(' ');
