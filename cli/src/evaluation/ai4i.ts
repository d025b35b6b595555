import { f1Score, matrixOf, predictBoosted, Random, takeRows, trainBoosting, type Matrix } from '@millwright/learning';
import type { Table } from './data-folder.js';
import type { Benchmark } from './figure.js';

const FOLDS = 5;
const ROUNDS = 3;
const MODELS = 3;
const TYPES = ['L', 'M', 'H'];
const TREES = { objective: { kind: 'logistic' }, rounds: 250, learningRate: 0.04, leaves: 12, leafRows: 5, l2: 1, rowShare: 0.8, columnShare: 0.7, bins: 256 } as const;
/** Probability from which a machine counts as failing: the middle of the range in which F1 hardly moves. */
const THRESHOLD = 0.4;

/**
 * Machine failures (AI4I 2020): F1 of failures. Where the folder has test files (ai4i2020_test*.csv), models are fitted on the
 * others and judged on these; else by five-fold cross-validation, stratified, three times. The columns of failure modes are
 * never inputs.
 */
export const ai4i: Benchmark = {
  name: 'AI4I 2020',
  folder: 'ai4i',
  figures: [{ name: 'ai4i_f1', goal: 0.85, better: 'higher', unit: 'F1 of failures', published: 'XGBoost 0.895, probably macro' }],
  async measure(data, note) {
    const read = async (names: readonly string[]): Promise<Machines> => {
      const tables = await Promise.all(names.map((name) => data.table(name, ',')));
      return { inputs: matrixOf(tables.flatMap(inputsOf)), failed: tables.flatMap((table) => table.numbers('Machine failure').map((each) => each === 1)) };
    };
    const isTest = (name: string): boolean => /test/.test(name);
    const names = data.named(/^ai4i.*\.csv$/);
    const fitted = await read(names.filter((name) => !isTest(name)));
    if (fitted.failed.length === 0) return {};
    if (names.some(isTest)) {
      const test = await read(names.filter(isTest));
      note(`fitted on ${fitted.failed.length} machines, judged on ${test.failed.length}`);
      return { ai4i_f1: Array.from({ length: ROUNDS }, (_, round) => f1Score(judge(fitted, test.inputs, round), test.failed)) };
    }
    note(`cross-validated on ${fitted.failed.length} machines with ${fitted.failed.filter(Boolean).length} failures`);
    return { ai4i_f1: Array.from({ length: ROUNDS }, (_, round) => f1Score(crossValidated(fitted, round), fitted.failed)) };
  },
};

interface Machines {
  readonly inputs: Matrix;
  readonly failed: readonly boolean[];
}

/** Measurements and what follows from them: temperature difference, mechanical power, strain over what the product type bears. */
function inputsOf(table: Table): number[][] {
  const [air, process, speed, torque, wear] = ['Air temperature [K]', 'Process temperature [K]', 'Rotational speed [rpm]', 'Torque [Nm]', 'Tool wear [min]'].map((column) => table.numbers(column));
  return table.texts('Type').map((type, i) => [air![i]!, process![i]!, speed![i]!, torque![i]!, wear![i]!, process![i]! - air![i]!, (torque![i]! * speed![i]! * 2 * Math.PI) / 60, wear![i]! * torque![i]!, TYPES.indexOf(type)]);
}

function judge({ inputs, failed }: Machines, asked: Matrix, round: number): boolean[] {
  const odds = new Float64Array(asked.rows);
  for (let model = 0; model < MODELS; model++) {
    const trees = trainBoosting(inputs, failed.map(Number), { ...TREES, seed: round * MODELS + model });
    predictBoosted(trees, asked).forEach((each, i) => (odds[i]! += each / MODELS));
  }
  return [...odds].map((each) => 1 / (1 + Math.exp(-each)) >= THRESHOLD);
}

function crossValidated({ inputs, failed }: Machines, round: number): boolean[] {
  const order = Int32Array.from(failed, (_, i) => i);
  new Random(round).shuffle(order);
  // Failures first, each kind in random order: dealing them out stratifies the folds.
  const dealt = [...order].sort((a, b) => Number(failed[b]) - Number(failed[a]));
  const result: boolean[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const kept = dealt.filter((_, place) => place % FOLDS !== fold);
    const held = dealt.filter((_, place) => place % FOLDS === fold);
    const said = judge({ inputs: takeRows(inputs, kept), failed: kept.map((i) => failed[i]!) }, takeRows(inputs, held), round);
    held.forEach((i, place) => (result[i] = said[place]!));
  }
  return result;
}
