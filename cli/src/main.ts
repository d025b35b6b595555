import { Command } from 'commander';
import { addRunOptions, type RunOptions } from './run-options.js';

// Commands are loaded when called: `run` should not wait for trainers, nor `train` for servers.
const program = new Command('millwright').description('Watches a factory as it runs.').showHelpAfterError().exitOverride();

const does = <O>(action: (options: O) => Promise<number>) => async (options: O): Promise<void> => {
  process.exitCode = await action(options);
};

addRunOptions(program.command('run', { isDefault: true }))
  .description('the whole line in this process, fed by the simulated plant or a file')
  .action(does(async (options: RunOptions) => (await import('./run.js')).run(options)));

addRunOptions(program.command('cluster'))
  .description('the five services as processes of their own on a real Kafka and Redis')
  .option('--keep', 'leave everything up at the end and print the addresses', false)
  .option('--instances <n>', 'processes of each service', Number, 1)
  .action(does(async (options: RunOptions & { readonly keep: boolean; readonly instances: number }) => (await import('./cluster.js')).cluster(options)));

/** Errors that are meant for people: one sentence, exit code 2. */
const FOR_PEOPLE: ReadonlySet<string> = new Set([
  'UsageError', 'PlantFileError', 'ReplayError', 'ConfigError', 'ModelPackageError', 'MissingServerError', 'SimulationError', 'BaselineError', 'DataError',
]);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  if ('exitCode' in error && 'code' in error) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (FOR_PEOPLE.has(error.name)) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  } else {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    process.exitCode = 1;
  }
}
// What was opened has been closed; a handle that someone forgot must not keep the person waiting.
process.exit();
