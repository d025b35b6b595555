import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStateStore } from '../memory/memory-state-store.js';
import { describeEventLog } from '../testing/log-contract.js';
import { describeStateStore } from '../testing/state-contract.js';
import { openEmbeddedLog } from './embedded-log.js';
import { EmbeddedStateStore } from './embedded-state-store.js';

describeEventLog('the embedded log in a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millwright-log-'));
  let log = openEmbeddedLog(join(folder, 'log.db'));
  return {
    log,
    reopen: async () => {
      await log.close();
      return (log = openEmbeddedLog(join(folder, 'log.db')));
    },
    close: async () => {
      await log.close();
      await rm(folder, { recursive: true });
    },
  };
});

describeEventLog('the embedded log in memory', () => {
  const log = openEmbeddedLog(':memory:');
  return Promise.resolve({ log, close: () => log.close() });
});

describeStateStore('the embedded state store', () => {
  const log = openEmbeddedLog(':memory:');
  return Promise.resolve({ store: new EmbeddedStateStore(log), close: () => log.close() });
});

describeStateStore('the memory state store', () => Promise.resolve({ store: new MemoryStateStore(), close: () => Promise.resolve() }));
