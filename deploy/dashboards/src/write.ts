import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dashboards } from './index.js';

/** Where Grafana's provisioning finds them: checked in, so that nobody needs to build. */
const FOLDER = fileURLToPath(new URL('../../grafana/dashboards', import.meta.url));

mkdirSync(FOLDER, { recursive: true });
for (const [name, dashboard] of dashboards) writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(dashboard, undefined, 2)}\n`);
