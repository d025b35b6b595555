import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaPins } from './cache.js';
import { checksums, fetchJars } from './kafka-runtime.js';

// Renews kafka/jars.sha256 after a change of kafka/pom.xml: npm run lock-jars -w @millwright/servers
const folder = await mkdtemp(join(tmpdir(), 'millwright-jars-'));
try {
  await fetchJars(folder);
  await writeFile(join(kafkaPins, 'jars.sha256'), await checksums(folder));
} finally {
  await rm(folder, { recursive: true, force: true });
}
