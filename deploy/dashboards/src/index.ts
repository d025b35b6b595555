import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { alarms } from './alarms.js';
import { assetHealth } from './asset-health.js';
import { inference } from './inference.js';
import { plantOverview } from './plant-overview.js';
import { quality } from './quality.js';
import { services } from './services.js';
import { slos } from './slos.js';
import { streams } from './streams.js';

/** All dashboards, by the name of their files. */
export const dashboards: ReadonlyMap<string, Dashboard> = new Map(
  Object.entries({ 'plant-overview': plantOverview, 'asset-health': assetHealth, streams, inference, quality, alarms, slos, services }).map(([name, builder]) => [name, builder.build()]),
);
