#!/usr/bin/env node
// Each service as one file in bundles/, for images and for processes on this machine alike: Node needs longer to find and link two thousand small
// files than for all else that it does until a service is ready. What reads files of its own (workers, native libraries, .proto) and kafkajs, parts
// of which are replaced by path, stay the packages that they are. Does nothing where the bundles are newer than all that was compiled.
import { globSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const services = readdirSync(join(root, 'services'));
const packages = ['@millwright/models', '@node-rs/crc32', 'kafkajs', '@grpc/*', 'grpc-health-check', 'pino'];
// Nest looks for these and does without.
const absent = ['@nestjs/microservices', '@nestjs/websockets', '@nestjs/platform-express', 'class-transformer', 'class-validator'];

const times = (pattern) => globSync(pattern, { cwd: root }).map((path) => statSync(join(root, path)).mtimeMs);
const bundled = times('bundles/*/main.js');
const sources = times('{{libs,services}/*/dist/**/*.js,package-lock.json,scripts/bundle.mjs}');

if (bundled.length < services.length || Math.min(...bundled) < Math.max(...sources)) {
  await build({
    absWorkingDir: root,
    entryPoints: services.map((name) => ({ in: `services/${name}/dist/main.js`, out: `${name}/main` })),
    outdir: 'bundles',
    bundle: true,
    platform: 'node',
    format: 'esm',
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'error',
    external: [...packages, ...absent],
    // For what is CommonJS in the bundle.
    banner: { js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);` },
  });
}
