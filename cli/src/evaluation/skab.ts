import { readdir } from 'node:fs/promises';
import { fitDistanceMonitor, matrixOf, monitorDistances } from '@millwright/learning';
import { DataFolder, type Table } from './data-folder.js';
import type { Benchmark } from './figure.js';

/** Rows at the beginning of each file that a monitor is fitted on, as in the README of the data set. */
const FITTED = 400;
const MONITOR = { lags: 5, shrinkage: 0.1, memory: 0.1, alpha: 0.005 };

/**
 * Anomalies of a pump and valve rig (SKAB), protocol of its README: for each file a model is fitted on its first 400 rows, the
 * rest is judged, and outcomes are pooled over all files with anomalies.
 */
export const skab: Benchmark = {
  name: 'SKAB',
  folder: 'skab',
  figures: [{ name: 'skab_f1', goal: 0.78, better: 'higher', unit: 'F1', published: 'Conv-AE 0.78, MSET 0.78, T²+Q 0.76, LSTM-AE 0.74' }],
  async measure(data, note) {
    const pooled = { hits: 0, missed: 0, falseAlarms: 0, quiet: 0 };
    let files = 0;
    for (const { name } of (await readdir(data.path, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
      const folder = await DataFolder.open(`${data.path}/${name}`);
      for (const file of folder?.named(/\.csv$/) ?? []) {
        const table = await folder!.table(file, ';');
        if (!table.columns.includes('anomaly')) continue;
        files++;
        const truth = table.numbers('anomaly');
        alarmsOf(table).forEach((alarm, row) => {
          if (row < FITTED) return;
          if (truth[row] === 1) pooled[alarm ? 'hits' : 'missed']++;
          else pooled[alarm ? 'falseAlarms' : 'quiet']++;
        });
      }
    }
    if (files === 0) return {};
    const { hits, missed, falseAlarms, quiet } = pooled;
    note(`${files} files: false alarms ${((100 * falseAlarms) / (falseAlarms + quiet)).toFixed(1)} %, missed ${((100 * missed) / (hits + missed)).toFixed(1)} % of rows`);
    return { skab_f1: [(2 * hits) / (2 * hits + falseAlarms + missed)] };
  },
};

function alarmsOf(table: Table): boolean[] {
  const sensors = table.columns.filter((column) => !['datetime', 'anomaly', 'changepoint'].includes(column)).map((column) => table.numbers(column));
  const rows = Array.from(sensors[0]!, (_, row) => sensors.map((sensor) => sensor[row]!));
  const monitor = fitDistanceMonitor(matrixOf(rows.slice(0, FITTED)), MONITOR);
  return [...monitorDistances(monitor, matrixOf(rows))].map((distance) => distance > 1);
}
