import { inspect } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import type { CompareOptions } from './comparison/compare.js';
import { SPLITS, TASKS } from './comparison/runs.js';
import { addConnectionOptions, type ConnectionOptions } from './connection.js';
import type { DoctorOptions } from './doctor.js';
import type { EvaluateOptions } from './evaluation/suite.js';
import type { BaselineOptions, TrainOptions } from './learn.js';
import type { BenchOptions } from './models.js';
import type { ApprovalOptions } from './registry.js';
import { addRunOptions, parseDuration, wholeNumber, wholeNumbers, type RunOptions } from './run-options.js';
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
  .option('--version <version>', 'with --task: version of the packages, as 1.2.0 (default: 1.0.0, or the next patch after what the folder holds)')
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

const models = program.command('models').description('model packages, and the versions of models: which judge, which did, and who approved them');
const approved = (command: Command): Command =>
  addConnectionOptions(command, 'inference')
    .requiredOption('--by <name>', 'who approves it')
    .requiredOption('--reason <text>', 'why')
    .option('--from <time>', 'event time from which it holds (default: ten seconds after what has been judged)');
const asked = (command: Command): Command => addConnectionOptions(command, 'inference');
approved(models.command('register'))
  .description('take a package into the registry, as a candidate')
  .argument('<folder>', 'folder of the package')
  .action(async (folder: string, options: ApprovalOptions) => {
    process.exitCode = await (await import('./registry.js')).register(folder, options);
  });
asked(models.command('list'))
  .description('all models with their versions and stages')
  .action(does(async (options: ConnectionOptions) => (await import('./registry.js')).list(options)));
asked(models.command('history'))
  .description('every change of a model: what, when, by whom and why')
  .argument('<name>', 'name of the model')
  .action(async (name: string, options: ConnectionOptions) => {
    process.exitCode = await (await import('./registry.js')).history(name, options);
  });
approved(models.command('promote'))
  .description('take a version to a stage; what is in production retires as another takes its place')
  .argument('<name>', 'name of the model')
  .argument('<version>', 'version')
  .requiredOption('--stage <stage>', 'shadow, canary or production; candidate takes it back')
  .option('--share <share>', 'for a canary: share of the assets, above 0 and below 1', Number)
  .action(async (name: string, version: string, options: ApprovalOptions & { readonly stage: string; readonly share?: number }) => {
    process.exitCode = await (await import('./registry.js')).move(name, version, options);
  });
approved(models.command('rollback'))
  .description('put the version in production that was there before')
  .argument('<name>', 'name of the model')
  .action(async (name: string, options: ApprovalOptions) => {
    process.exitCode = await (await import('./registry.js')).rollback(name, options);
  });
approved(models.command('retire'))
  .description('retire a version that is not in production')
  .argument('<name>', 'name of the model')
  .argument('<version>', 'version')
  .action(async (name: string, version: string, options: ApprovalOptions) => {
    process.exitCode = await (await import('./registry.js')).move(name, version, { ...options, stage: 'retired' });
  });
asked(models.command('which'))
  .description('which version was in production at a time, and who approved it')
  .argument('<name>', 'name of the model')
  .option('--at <time>', 'event time (default: after all changes)')
  .action(async (name: string, options: ConnectionOptions & { readonly at?: string }) => {
    process.exitCode = await (await import('./registry.js')).which(name, options);
  });
asked(models.command('compare'))
  .description('what versions in the shadow answered beside production')
  .argument('<name>', 'name of the model')
  .action(async (name: string, options: ConnectionOptions) => {
    process.exitCode = await (await import('./registry.js')).compare(name, options);
  });
models
  .command('keygen')
  .description('a pair of keys to sign packages with')
  .requiredOption('--name <name>', 'by which those who trust the key know it')
  .requiredOption('--out <file>', 'file of the private key; the public one goes to <file>.pub')
  .action(does(async (options: { readonly name: string; readonly out: string }) => (await import('./registry.js')).keygen(options)));
models
  .command('sign')
  .description('sign a package: manifest, model and all other files')
  .argument('<folder>', 'folder of the package')
  .requiredOption('--key <file>', 'file of the private key')
  .requiredOption('--name <name>', 'name of the key')
  .action(async (folder: string, options: { readonly key: string; readonly name: string }) => {
    process.exitCode = await (await import('./registry.js')).sign(folder, options);
  });
models
  .command('verify')
  .description('check a package whole, and who signed it')
  .argument('<folder>', 'folder of the package')
  .option('--keys <file>', 'file of trusted keys (default: MILLWRIGHT_MODEL_KEYS)')
  .action(async (folder: string, options: { readonly keys?: string }) => {
    process.exitCode = await (await import('./registry.js')).verify(folder, options);
  });
models
  .command('bench')
  .description('device, and windows a second by windows a request, of each package of a plant on this machine')
  .requiredOption('--plant <plant>', 'plant file, or the name of a shipped plant')
  .option('--batch <n,n,...>', 'windows a request', wholeNumbers, [1, 8, 32, 256])
  .option('--for <duration>', 'time for each measurement, for example 5s', parseDuration, 1)
  .option('--workers <n>', 'inference threads (default: one less than there are cores)', wholeNumber)
  .option('--json', 'one JSON line a measurement', false)
  .action(does(async (options: BenchOptions) => (await import('./models.js')).benchModels(options)));

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
