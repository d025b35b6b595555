import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../home.js';

/** Test run of the Tennessee Eastman process with fault 1, which enters after row 160 of 960. */
export const FAULT_1 = join(process.env['MILLWRIGHT_DATA'] ?? join(ROOT, '..', 'shared', 'data'), 'tep', 'd01_te.dat');

/** Tests that need the file are skipped without it. */
export const hasFault1 = existsSync(FAULT_1) || existsSync(`${FAULT_1}.gz`);

/** For their names. */
export const noData = hasFault1 ? '' : ' (skipped: MILLWRIGHT_DATA has no tep/d01_te.dat)';
