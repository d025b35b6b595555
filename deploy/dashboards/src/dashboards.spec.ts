import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { METRICS } from '@millwright/observability';
import { dashboards } from './index.js';
import { panelsOf } from './testing/queries.js';

const FOLDER = fileURLToPath(new URL('../../grafana/dashboards', import.meta.url));
const all = [...dashboards].flatMap(([name, dashboard]) => panelsOf(name, dashboard));

describe('dashboards', () => {
  it('are checked in as they are in code; `npm run dashboards` writes them', () => {
    expect(readdirSync(FOLDER).sort()).toEqual([...dashboards.keys()].map((name) => `${name}.json`).sort());
    for (const [name, dashboard] of dashboards) expect(JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'))).toEqual(JSON.parse(JSON.stringify(dashboard)));
  });

  it('show every metric of telemetry.yaml', () => {
    const queries = all.flatMap((panel) => panel.queries.map(({ expr }) => expr)).join('\n');
    expect(Object.values(METRICS).map(({ prometheus }) => prometheus).filter((name) => !queries.includes(name))).toEqual([]);
  });

  it('have panels with a title of their own, a description, and legends of labels that their queries keep', () => {
    for (const { dashboard, title, description, queries } of all) {
      expect({ dashboard, title, description }).toEqual({ dashboard, title: expect.stringMatching(/./), description: expect.stringMatching(/\.$/) });
      for (const { expr, legend } of queries) for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g)) expect({ title, expr }).toEqual({ title, expr: expect.stringContaining(label!) });
    }
    const titles = all.map(({ dashboard, title }) => `${dashboard}: ${title}`);
    expect(new Set(titles).size).toBe(titles.length);
  });
});
