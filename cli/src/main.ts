import { inspect } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import type { CompareOptions } from './comparison/compare.js';
import { SPLITS, TASKS } from './comparison/runs.js';
import { addConnectionOptions, type ConnectionOptions } from './connection.js';
import type { DoctorOptions } from './doctor.js';
import type { EvaluateOptions } from './evaluation/suite.js';
import type { BaselineOptions, TrainOptions } from './learn.js';
import { addRunOptions, wholeNumber, type RunOptions } from './run-options.js';
import { UsageError } from './usage-error.js';

// Commands are loaded when called: `run` should not wait for trainers, nor `train` for servers.
const program = new Command('millwright').description('Watches a factory as it runs.').showHelpAfterError('(--help after the command says more)').exitOverride();

const does = <O>(action: (options: O) => Promise<number>) => async (options: O): Promise<void> => {
  process.exitCode = await action(options);
};

const names = (text: string): string[] => text.split(',').map((each) => each.trim()).filter((each) => each !== '');

addRunOptions(program.command('run'))
  .description('the whole line in this process, fed by the simulated plant or a file')
  .action(does(async (options: RunOptions) => (await import('./run.js')).run(options)));

addRunOptions(program.command('cluster'))
  .description('the five services as processes of their own on a real Kafka and Redis')
  .option('--keep', 'leave everything up at the end and print the addresses', false)
  .option('--instances <n>', 'processes of each service', Number, 1)
  .action(does(async (options: RunOptions & { readonly keep: boolean; readonly instances: number }) => (await import('./cluster.js')).cluster(options)));

addRunOptions(addConnectionOptions(program.command('feed'), 'ingestion'))
  .description('play the simulated plant or a file into a line that runs elsewhere, and count what comes out of its Kafka (KAFKA_BROKERS)')
  .action(does(async (options: RunOptions & ConnectionOptions) => (await import('./feed.js')).feed(options)));

program
  .command('train')
  .description('train the models of a plant and write their packages; or, with --task, train models on labelled data and compare them')
  .option('--plant <plant>', 'plant file, or the name of a shipped plant')
  .addOption(new Option('--task <task>', 'what models of labelled data are to learn').choices(TASKS).conflicts('plant'))
  .option('--data <folder>', 'folder of training data, laid out as docs/models.md says')
  .option('--models <names>', 'with --task: models to compare, by commas (default: those that need no Python)', names)
  .option('--history <n>', 'with --task: rows that a model looks back on (default: by data set)', wholeNumber)
  .addOption(new Option('--split <by>', 'with --task: what is divided whole into training, validation and test (default: by data set)').choices(SPLITS))
  .option('--set <name>', 'with --task: which of several sets in the folder, as FD002')
  .option('--without <labels>', 'with --task: faults that are left out, by commas', names, [])
  .option('--epochs <n>', 'with --task: most epochs of networks', wholeNumber)
  .option('--json', 'with --task: the comparison as one JSON line', false)
  .option('--out <folder>', 'folder of the packages (default: models beside the plant file; with --task, training/<data set>-<task> in MILLWRIGHT_HOME)')
  .option('--seed <n>', 'seed of all that is random', Number, 1)
  .action(
    does(async (options: TrainOptions & Partial<CompareOptions>) => {
      const { task, data } = options;
      if (task === undefined) return (await import('./learn.js')).train(options);
      if (data === undefined) throw new UsageError('--task learns from labelled data: give their folder with --data.');
      return (await import('./comparison/compare.js')).compare({ ...(options as CompareOptions), task, data });
    }),
  );

program
  .command('evaluate')
  .description('measure the learners on public data sets and print the figures beside published ones')
  .requiredOption('--suite', 'all data sets that are there')
  .option('--data <folder>', 'folder of data sets (default: MILLWRIGHT_DATA, or ../shared/data)')
  .option('--only <name...>', 'only these figures or data sets', [])
  .option('--json', 'one JSON line a figure', false)
  .action(does(async (options: EvaluateOptions) => (await import('./evaluation/suite.js')).evaluate(options)));

program
  .command('quality')
  .description('quality statistics')
  .command('baseline')
  .description('limits of the multivariate monitor of a kind, from data of normal operation')
  .argument('[files...]', 'files of normal operation; simulated machines where there are none')
  .requiredOption('--plant <plant>', 'plant file, or the name of a shipped plant')
  .requiredOption('--kind <kind>', 'asset kind')
  .option('--alpha <share>', 'share of normal windows beyond the limits', Number)
  .action(async (files: readonly string[], options: BaselineOptions) => {
    process.exitCode = await (await import('./learn.js')).baseline(options, files);
  });

const alarms = program.command('alarms').description('alarms of a running line');
addConnectionOptions(alarms.command('list'), 'alerting')
  .description('alarms that are not normal, by asset, most urgent first')
  .option('--asset <asset>', 'only this asset')
  .action(does(async (options: ConnectionOptions & { readonly asset?: string }) => (await import('./alarms.js')).listAlarms(options)));
addConnectionOptions(alarms.command('acknowledge'), 'alerting')
  .description('say that someone has taken notice of an alarm')
  .argument('<id>', 'id of the alarm')
  .requiredOption('--by <name>', 'who acknowledges')
  .option('--comment <text>', 'what they say')
  .action(async (id: string, options: ConnectionOptions & { readonly by: string; readonly comment?: string }) => {
    process.exitCode = await (await import('./alarms.js')).acknowledgeAlarm({ id, ...options });
  });

const topics = program.command('topics').description('the topics on Kafka (KAFKA_BROKERS)');
topics
  .command('create')
  .description('make those that are missing, with MILLWRIGHT_PARTITIONS partitions each')
  .option('--replication-factor <n>', "brokers that hold each partition (default: the broker's own)", wholeNumber)
  .action(does(async (options: { readonly replicationFactor?: number }) => (await import('./topics.js')).createTopics(options)));
topics
  .command('list')
  .description('the table of topics, with the settings that each has')
  .option('--json', 'as JSON, for other means of making them', false)
  .action(does(async (options: { readonly json: boolean }) => (await import('./topics.js')).listTopics(options)));

program
  .command('doctor')
  .description('check plant, models, Kafka, topics, Redis, clocks and certificates, by the environment that the services have, and say what to do')
  .option('--plant <plant>', 'plant file, or the name of a shipped plant (default: MILLWRIGHT_PLANT)')
  .option('--http <host:port...>', 'HTTP addresses of services that are to be asked, too', [])
  .action(does(async (options: DoctorOptions) => (await import('./doctor.js')).doctor(options)));
program
  .command('backup')
  .description('write how alarms stand and which models were registered to a file; the line may run meanwhile')
  .requiredOption('--out <file>', 'file to be made')
  .action(does(async (options: { readonly out: string }) => (await import('./backup.js')).backup(options)));
program
  .command('restore')
  .description('put a backup into a new Kafka and Redis, before the services are started')
  .requiredOption('--from <file>', 'file that backup wrote')
  .action(does(async (options: { readonly from: string }) => (await import('./backup.js')).restore(options)));

try {
  await program.parseAsync();
} catch (error) {
  const { EXIT, isBadInput } = await import('@millwright/shell');
  // Commander has said what is wrong already; asking for help is no error.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
  else {
    process.stderr.write(`${isBadInput(error) ? error.message : inspect(error)}\n`);
    process.exitCode = isBadInput(error) ? EXIT.badInput : EXIT.failed;
  }
}
// What was opened has been closed; a handle that someone forgot must not keep the person waiting.
process.exit();
