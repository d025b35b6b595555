import { createHash } from 'node:crypto';
import type { DataFolder } from '../evaluation/data-folder.js';
import type { LabelledRuns, Run } from './runs.js';

const MEASURED = 41;
const VARIABLES = 52;
const CLASSES = 22;
/** Row of the test files after which the fault is there. */
const FAULT_ROW = 160;
const HISTORY = 30;
/** Share of d00.dat that the rows before a fault are taken from: all of it is of the training part. */
const EARLY = 0.7;

/** Braatz's runs of the Tennessee Eastman process. Training runs begin with their fault: rows of normal operation are put before them, without label. */
export async function readTepRuns(folder: DataFolder): Promise<LabelledRuns> {
  const hash = createHash('sha256');
  const labels = ['normal', ...Array.from({ length: CLASSES - 1 }, (_, i) => String(i + 1))];
  const runs: Run[] = [];
  let normal: Float32Array | undefined;
  for (const suffix of ['', '_te']) {
    for (let fault = 0; fault < CLASSES; fault++) {
      const name = `d${String(fault).padStart(2, '0')}${suffix}`;
      if (!folder.has(`${name}.dat`)) continue;
      hash.update(await folder.bytes(`${name}.dat`));
      const rows = await folder.numbers(`${name}.dat`);
      // d00.dat holds a variable a line, all others a moment a line.
      const moments = rows.length === VARIABLES ? rows[0]!.map((_, moment) => rows.map((row) => row[moment]!)) : rows;
      const own = Float32Array.from(moments.flat());
      if (name === 'd00') normal = own;
      const before = suffix === '' && fault > 0 ? earlier(normal, fault) : new Float32Array();
      const lead = before.length / VARIABLES;
      const values = new Float32Array(before.length + own.length);
      values.set(before);
      values.set(own, before.length);
      const truths = Float64Array.from({ length: lead + moments.length }, (_, step) => (step < lead ? NaN : suffix === '' || step >= FAULT_ROW ? fault : 0));
      runs.push({ name, asset: name, steps: truths.length, values, truths, part: suffix === '' ? 'train' : 'test' });
    }
  }
  return {
    name: 'tep',
    description: "Tennessee Eastman process, data files of Braatz's group: one run of normal operation and one of each fault; a row every three minutes",
    kinds: ['tennessee-eastman'],
    features: Array.from({ length: VARIABLES }, (_, i) => (i < MEASURED ? `XMEAS${i + 1}.mean` : `XMV${i + 1 - MEASURED}.mean`)),
    labels,
    normal: 'normal',
    quantity: '',
    unit: '',
    runs,
    sha256: hash.digest('hex'),
    defaults: { history: HISTORY, split: 'time' },
  };
}

function earlier(normal: Float32Array | undefined, fault: number): Float32Array {
  if (normal === undefined) return new Float32Array();
  const rows = Math.floor((EARLY * normal.length) / VARIABLES);
  const from = (fault * 19) % (rows - HISTORY);
  return normal.slice(from * VARIABLES, (from + HISTORY) * VARIABLES);
}
