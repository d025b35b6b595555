import { openEmbeddedLog } from './embedded/embedded-log.js';
import { EmbeddedStateStore } from './embedded/embedded-state-store.js';
import { MemoryStateStore } from './memory/memory-state-store.js';
import { describeRuntime } from './testing/runtime-contract.js';

describeRuntime('the embedded log and its state store', () => {
  const log = openEmbeddedLog(':memory:');
  return Promise.resolve({ log, store: new EmbeddedStateStore(log), close: () => log.close() });
});

describeRuntime('the embedded log and the memory state store', () => {
  const log = openEmbeddedLog(':memory:');
  return Promise.resolve({ log, store: new MemoryStateStore(), close: () => log.close() });
});
