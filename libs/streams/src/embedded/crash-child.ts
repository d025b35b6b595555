import { COMMITTED } from '../log.js';
import { openEmbeddedLog } from './embedded-log.js';

/**
 * The victim of the crash test: reads its input and writes each record's text to the output, one transaction a batch, and
 * appends more input beside it, until it is killed. Prints a line when it is at work.
 */
const [path = ''] = process.argv.slice(2);
const log = openEmbeddedLog(path);
const transactor = await log.transactor('copy', 0, ['in.v1']);
await log.join('copy', ['in.v1'], {
  assigned: () => Promise.resolve({}),
  revoked: () => Promise.resolve(),
  batches: async ([batch]) => {
    const { records, nextOffset } = batch!;
    await transactor.commit(records.slice(0, 20).map((each) => ({ ...each, topic: 'out.v1' })), { 'in.v1': (records[19]?.offset ?? nextOffset - 1) + 1 });
    if (records.length > 20) throw new Error('the rest comes again: many small transactions are easier to hit');
    return COMMITTED;
  },
});
const [first = 0] = await log.endOffsets('in.v1');
process.stdout.write('at work\n');
for (let n = first; ; n++) {
  await log.append([{ topic: 'in.v1', partition: 0, key: 'k', value: Buffer.from(`${n}`), timeMs: n, headers: { schema: 's', source: 'child', sequence: n + 1 } }]);
}
