import { matrixOf, predictBoosted, rowsBetween, rSquared, trainBoosting } from '@millwright/learning';
import type { Benchmark } from './figure.js';

const INPUTS = ['AT', 'AP', 'AH', 'AFDP', 'GTEP', 'TIT', 'TAT', 'TEY', 'CDP'];
/** Hours of 2011 and 2012 in the data set, and of 2013, which follow. */
const FITTED = 7411 + 7628;
const ASKED = 7152;
const SEEDS = 3;
const TREES = { objective: { kind: 'squared' }, rounds: 300, learningRate: 0.05, leaves: 31, leafRows: 30, l2: 5, rowShare: 0.7, columnShare: 0.7, bins: 256 } as const;

/** Emissions of a gas turbine: NOx of 2013 from ambient and process values, fitted on 2011 and 2012. */
export const gasTurbine: Benchmark = {
  name: 'Gas turbine',
  folder: 'gas_turbine',
  figures: [{ name: 'gas_turbine_nox_r2', goal: null, better: 'higher', unit: 'R²', published: '' }],
  async measure(data, note) {
    const [file] = data.named(/^gt_.*\.csv$/);
    if (file === undefined) return {};
    const table = await data.table(file, ',');
    const columns = INPUTS.map((input) => table.numbers(input));
    const all = matrixOf(table.rows.map((_, row) => columns.map((column) => column[row]!)));
    const nox = table.numbers('NOX');
    if (all.rows <= FITTED) return {};
    const [fitted, asked] = [rowsBetween(all, 0, FITTED), rowsBetween(all, FITTED, FITTED + ASKED)];
    const truth = nox.slice(FITTED, FITTED + asked.rows);
    const rounds = Array.from({ length: SEEDS }, (_, seed) => rSquared(predictBoosted(trainBoosting(fitted, nox.slice(0, FITTED), { ...TREES, seed }), asked), truth));
    note(`fitted on ${fitted.rows} hours, judged on the ${asked.rows} after them`);
    return { gas_turbine_nox_r2: rounds };
  },
};
