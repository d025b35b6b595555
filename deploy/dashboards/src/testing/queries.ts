import type { Dashboard, Panel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';

export interface PanelQuery {
  readonly expr: string;
  readonly legend: string;
  readonly exemplars: boolean;
}

/** What a panel asks, by the dashboard's file. */
export interface ShownPanel {
  readonly dashboard: string;
  readonly title: string;
  readonly description: string;
  readonly queries: readonly PanelQuery[];
}

/** Panels of a dashboard, rows left out. */
export function panelsOf(name: string, { panels = [] }: Dashboard): ShownPanel[] {
  return panels
    .filter((panel): panel is Panel => panel.type !== 'row')
    .map(({ title = '', description = '', targets = [] }) => ({
      dashboard: name,
      title,
      description,
      queries: (targets as unknown as readonly { readonly expr: string; readonly legendFormat?: string; readonly exemplar?: boolean }[]).map(({ expr, legendFormat = '', exemplar = false }) => ({ expr, legend: legendFormat, exemplars: exemplar })),
    }));
}

/** A query as Grafana sends it when all is chosen. @param range what `$__range` is */
export function filledIn(expr: string, range: string): string {
  return expr.replaceAll('$__rate_interval', '20s').replaceAll('$__range', range).replaceAll(/\$\w+/g, '.*');
}

/** What fills the choices of a dashboard: label and selector of label_values(selector, label). */
export function choicesOf({ templating }: Dashboard): { readonly label: string; readonly selector: string }[] {
  return ((templating.list ?? []) as readonly VariableModel[]).flatMap(({ query }) => {
    const text = typeof query === 'object' ? String((query as { readonly query: string }).query) : String(query);
    const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(text) ?? [];
    return selector === undefined || label === undefined ? [] : [{ label, selector: selector.replaceAll(/\$\w+/g, '.*') }];
  });
}
