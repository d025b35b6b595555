// Nx plugin: every package has the same targets, so they are said once here instead of in twenty project.json files.
import { dirname } from 'node:path';

export const name = 'millwright-targets';

export const createNodesV2 = [
  '{libs,services}/*/tsconfig.json',
  (files) =>
    files.map((file) => {
      const root = dirname(file);
      const targets = {
        build: { command: `node node_modules/typescript-native/bin/tsc -b ${root}` },
        test: { command: `node --experimental-vm-modules node_modules/jest/bin/jest.js ${root}` },
        lint: { command: `eslint ${root}` },
      };
      return [file, { projects: { [root]: { targets } } }];
    }),
];
