import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** Who may import whom: services -> libs -> contracts; pure libraries stay free of Kafka, Redis, Nest and Node I/O. */
const boundaries = [
  { sourceTag: 'type:contracts', onlyDependOnLibsWithTags: [] },
  { sourceTag: 'type:lib', onlyDependOnLibsWithTags: ['type:lib', 'type:contracts'] },
  { sourceTag: 'type:service', onlyDependOnLibsWithTags: ['type:lib', 'type:contracts'] },
  { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:service', 'type:lib', 'type:contracts', 'type:app'] },
  {
    sourceTag: 'scope:pure',
    onlyDependOnLibsWithTags: ['scope:pure', 'scope:model', 'type:contracts'],
    bannedExternalImports: ['kafkajs', 'ioredis', '@nestjs/*', '@grpc/*', 'onnxruntime-node'],
  },
  { sourceTag: 'scope:model', onlyDependOnLibsWithTags: ['scope:model'] },
  { sourceTag: 'scope:runtime', onlyDependOnLibsWithTags: ['scope:runtime', 'scope:model', 'scope:pure', 'type:contracts'], bannedExternalImports: ['@nestjs/*'] },
];

export default tseslint.config(
  { ignores: ['**/dist/**', 'bundles/**', '**/generated/**', 'node_modules/**', '.millwright/**', '.nx/**', 'bench/peers/**', 'training/.environment/**'] },
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { enforceBuildableLibDependency: false, allow: [], depConstraints: boundaries }],
      '@typescript-eslint/no-explicit-any': 'error',
      // Indexing typed arrays inside their bounds needs it under noUncheckedIndexedAccess; a check per sample would cost more than it finds.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Nest modules are classes without members by design.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowEmpty: true }],
      // A leading underscore says that a part of a destructuring is left out on purpose.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // Unions with void are the types of promise resolvers and of callbacks that may be asynchronous.
      '@typescript-eslint/no-invalid-void-type': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['libs/{signal,quality,alarms,learning}/src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group: ['node:*'], message: 'Pure library: no Node I/O here.' }] }] },
  },
);
