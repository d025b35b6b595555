/** Tests run on the compiled output: what is tested is what ships, and workers and decorators need no second compiler. */
export default {
  testEnvironment: 'node',
  testMatch: ['**/dist/**/*.spec.js'],
  transform: {},
  moduleFileExtensions: ['js', 'mjs', 'cjs', 'json', 'node'],
  modulePathIgnorePatterns: ['/.millwright/'],
  testTimeout: 60_000,
  globalSetup: './jest.setup.mjs',
  globalTeardown: './jest.teardown.mjs',
};
