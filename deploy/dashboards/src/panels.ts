import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode, BigValueGraphMode, GraphThresholdsStyleConfigBuilder, GraphThresholdsStyleMode, LegendDisplayMode, LegendPlacement, ReduceDataOptionsBuilder, SortOrder,
  StackingConfigBuilder, StackingMode, TooltipDisplayMode, VizLegendOptionsBuilder, VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder, DashboardLinkBuilder, DashboardLinkType, DatasourceVariableBuilder, MappingType, QueryVariableBuilder, ThresholdsConfigBuilder, ThresholdsMode, VariableRefresh, VariableSort,
  type Panel, type ValueMap, type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelinePanel } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries';
import { METRICS } from '@millwright/observability';
import { label, type Label } from './promql.js';

/** What all panels have in common. */
interface Shown {
  readonly title: string;
  /** What it means and what to do about it, for whoever looks at it at night. */
  readonly description: string;
  readonly unit?: string;
  /** Width in 24ths. */
  readonly width?: number;
}

export interface Query {
  readonly expr: string;
  readonly legend?: string;
  /** Shows traces at the points: only for queries over buckets. */
  readonly exemplars?: boolean;
}

const HEIGHT = 8;
const STAT_HEIGHT = 4;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const OK = 'green';
const WARNING = 'orange';
const BAD = 'red';

export interface Limits {
  readonly warning?: number;
  readonly bad: number;
}

/** Green, then orange, then red, from below. */
function thresholds({ warning, bad }: Limits): ThresholdsConfigBuilder {
  const steps = [{ value: null, color: OK }, ...(warning === undefined ? [] : [{ value: warning, color: WARNING }]), { value: bad, color: BAD }];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function query({ expr, legend = '', exemplars = false }: Query): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).exemplar(exemplars).range();
}

/** Lines over time. */
export function lines({ title, description, unit = 'short', width = 12 }: Shown, queries: readonly Query[], options: { readonly stacked?: boolean; readonly limits?: Limits } = {}): Builder<Panel> {
  const panel = new TimeSeriesPanel()
    .title(title).description(description).unit(unit).span(width).height(HEIGHT).datasource(DATASOURCE).min(0)
    .fillOpacity(options.stacked === true ? 30 : 5)
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.Table).placement(LegendPlacement.Bottom).showLegend(true).calcs(['lastNotNull', 'max']))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (options.stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (options.limits !== undefined) {
    panel.thresholds(thresholds(options.limits)).thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  queries.forEach((each, i) => panel.withTarget(query(each).refId(String.fromCharCode(65 + i))));
  return panel;
}

/** One number, coloured by its limits. */
export function stat({ title, description, unit = 'short', width = 4 }: Shown, { expr }: Query, limits?: Limits): Builder<Panel> {
  const panel = new StatPanel()
    .title(title).description(description).unit(unit).span(width).height(STAT_HEIGHT).datasource(DATASOURCE)
    .graphMode(BigValueGraphMode.Area)
    .colorMode(limits === undefined ? BigValueColorMode.None : BigValueColorMode.Background)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .withTarget(query({ expr }).refId('A'));
  return limits === undefined ? panel : panel.thresholds(thresholds(limits));
}

/** One row a series, the largest value first; columns are its labels, by the names that people know. */
export function table({ title, description, unit = 'short', width = 12 }: Shown, { expr }: Query, columns: Partial<Record<Label, string>>, value = 'Value'): Builder<Panel> {
  const names = Object.fromEntries(Object.entries(columns).map(([name, shown]) => [label(name as Label), shown]));
  return new TablePanel()
    .title(title).description(description).unit(unit).span(width).height(HEIGHT).datasource(DATASOURCE)
    .withTarget(new DataqueryBuilder().refId('A').expr(expr).instant().format(PromQueryFormat.Table))
    .withTransformation({ id: 'organize', options: { excludeByName: { Time: true }, renameByName: { ...names, Value: value } } })
    .withTransformation({ id: 'sortBy', options: { sort: [{ field: value, desc: true }] } });
}

/** Colours over time by state. */
export function states({ title, description, width = 24 }: Shown, each: Query, names: readonly { readonly value: number; readonly text: string; readonly color: string }[]): Builder<Panel> {
  const mapping: ValueMap = { type: MappingType.ValueToText, options: Object.fromEntries(names.map(({ value, text, color }, index) => [String(value), { text, color, index }])) };
  return new StateTimelinePanel()
    .title(title).description(description).span(width).height(2 * HEIGHT).datasource(DATASOURCE)
    .mappings([mapping])
    .withTarget(query(each).refId('A'));
}

/** Choices at the top of a dashboard. */
export function choice(name: string, shown: string, metric: (typeof METRICS)[keyof typeof METRICS], of: Label): Builder<VariableModel> {
  return labelChoice(name, shown, `label_values(${metric.prometheus}{namespace=~"$namespace"}, ${label(of)})`);
}

function labelChoice(name: string, shown: string, values: string): Builder<VariableModel> {
  return new QueryVariableBuilder(name)
    .label(shown).datasource(DATASOURCE).query({ query: values, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged).sort(VariableSort.AlphabeticalAsc)
    .multi(true).includeAll(true).allValue('.*').current({ text: 'All', value: '$__all' });
}

const TAG = 'millwright';

/** An empty dashboard with what all of them have: data source, installation, links to the others. */
export function dashboard(uid: string, title: string, description: string): DashboardBuilder {
  return new DashboardBuilder(`Millwright / ${title}`)
    .uid(`millwright-${uid}`).description(description).tags([TAG]).readonly()
    .refresh('30s').time({ from: 'now-1h', to: 'now' }).timezone('browser')
    .link(new DashboardLinkBuilder('Millwright').type(DashboardLinkType.Dashboards).tags([TAG]).asDropdown(true).includeVars(false).keepTime(true))
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelChoice('namespace', 'Namespace', `label_values(${METRICS.uptime.prometheus}, namespace)`));
}
