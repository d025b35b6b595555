#!/usr/bin/env node
// npm run verify:deploy: everything under helm/ and deploy/ that this machine can check, one line each, and what it could not check and why.
//   --static            only what needs no cluster and no Docker
//   --update-examples   render helm/millwright/examples anew
// Programs are taken from the PATH (helm, helm-unittest, kubeconform, promtool, kubectl, docker); a cluster is used when KUBECONFIG names one, Docker
// when it answers. VERIFY_LOAD is a command that takes an archive of images into the cluster's nodes, where they can't be pulled (kind load image-archive);
// BUILD_IMAGE and RUN_IMAGE name other base images, CUDA_BUILD_IMAGE and CUDA_RUN_IMAGE those of inference with CUDA, VERIFY_REPLICAS the pods of each service. KUBECONFORM_SCHEMAS names a folder or an address of schemas, as kubeconform's -schema-location takes it.
import { existsSync, globSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasDocker, verifyCompose, verifyCudaImage, verifyImages } from '../deploy/verify/docker.mjs';
import { hasNode, verifyOnNode } from '../deploy/verify/node.mjs';
import { find, Report, run } from '../deploy/verify/run.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chart = join(root, 'helm/millwright');
const rules = join(root, 'deploy/rules');
/** Kinds of others' operators, of which a cluster without them knows nothing. */
const FOREIGN = ['ServiceMonitor', 'PrometheusRule', 'ScaledObject', 'Certificate', 'GRPCRoute', 'KafkaTopic', 'KafkaUser'];
const KUBE_VERSION = '1.34.0';

const options = new Set(process.argv.slice(2));
for (const option of options) if (!['--static', '--update-examples'].includes(option)) fail(`Unknown option ${option}: there are --static and --update-examples.`);

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

const report = new Report();
const on = (program) => ({ [`${program} on the PATH`]: find(program) !== undefined });
const examples = readdirSync(join(chart, 'examples'), { withFileTypes: true }).filter((each) => each.isDirectory()).map(({ name }) => name);
const valuesOf = (example) => join(chart, 'examples', example, 'values.yaml');
const render = (example) => run('helm', ['template', 'millwright', chart, '--namespace', 'plant', '--kube-version', KUBE_VERSION, '-f', valuesOf(example)]);
const schemas = process.env.KUBECONFORM_SCHEMAS;

await report.check('chart: helm lint', on('helm'), async () => {
  for (const example of examples) await run('helm', ['lint', chart, '--strict', '--kube-version', KUBE_VERSION, '-f', valuesOf(example)]);
  return `${examples.length} sets of values`;
});
await report.check('chart: examples are what it renders', on('helm'), async () => {
  for (const example of examples) {
    const path = join(chart, 'examples', example, 'rendered.yaml');
    const rendered = await render(example);
    if (options.has('--update-examples')) writeFileSync(path, rendered);
    else if (!existsSync(path) || readFileSync(path, 'utf8') !== rendered) throw new Error(`examples/${example}/rendered.yaml is not what the chart renders: look at the change and run npm run verify:deploy -- --update-examples`);
  }
});
await report.check('chart: helm-unittest', on('helm-unittest'), async () => /Tests:\s+(.*)/.exec(await run('helm-unittest', [chart]))?.[1]);
await report.check('chart: topics are those of the code', {}, async () => {
  const listed = await run(process.execPath, [join(root, 'cli/dist/main.js'), 'topics', 'list', '--json']);
  if (readFileSync(join(chart, 'files/topics.json'), 'utf8') !== listed) throw new Error('files/topics.json differs from the topic table: write it anew with millwright topics list --json');
});
await report.check('chart: kubeconform, strict', { ...on('kubeconform'), ...on('helm'), 'schemas in KUBECONFORM_SCHEMAS': schemas !== undefined }, async () => {
  const said = await Promise.all(examples.map(async (example) => run('kubeconform', ['-strict', '-summary', '-skip', FOREIGN.join(','), '-schema-location', schemas, '-'], { input: await render(example) })));
  return `${said.reduce((sum, each) => sum + Number(/Valid: (\d+)/.exec(each)?.[1] ?? 0), 0)} resources`;
});
await report.check('rules: promtool check', on('promtool'), () => run('promtool', ['check', 'rules', ...globSync(`${rules}/*.yaml`)]).then(() => undefined));
await report.check('rules: promtool test', on('promtool'), async () => {
  const tests = globSync(`${rules}/tests/*.yaml`);
  await run('promtool', ['test', 'rules', ...tests]);
  return `${tests.reduce((sum, path) => sum + (readFileSync(path, 'utf8').match(/^ {2}- name: /gm) ?? []).length, 0)} cases`;
});
await report.check('rules: every metric is in the telemetry contract', {}, () => {
  const contract = readFileSync(join(root, 'docs/telemetry.md'), 'utf8');
  const names = new Set(globSync(`${rules}/*.yaml`).flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/(?<![:\w])(millwright_\w+)(?=[{[) ])/g)].map(([, name]) => name)));
  const known = new Set([...contract.matchAll(/`(millwright_\w+)`/g)].map(([, name]) => name));
  for (const name of names) if (!known.has(name.replace(/_(bucket|count|sum)$/, ''))) throw new Error(`${name} is in no row of docs/telemetry.md: correct the rule, or libs/observability/telemetry.yaml`);
  return `${names.size} names`;
});
await report.check('rules: each alert has a runbook with steps', {}, () => {
  const text = readFileSync(join(rules, 'alerts.yaml'), 'utf8');
  const named = [...text.matchAll(/runbook: (\S+)/g)].map(([, page]) => page);
  const pages = new Set(named);
  const alerts = (text.match(/- alert: /g) ?? []).length;
  if (alerts !== named.length) throw new Error(`${alerts} alerts name ${named.length} runbooks`);
  for (const page of pages) if (!existsSync(join(root, page)) || !/^1\. /m.test(readFileSync(join(root, page), 'utf8'))) throw new Error(`${page} is missing or has no steps`);
  const index = readFileSync(join(root, 'docs/runbooks/README.md'), 'utf8');
  for (const page of pages) if (!index.includes(`(${basename(page)})`)) throw new Error(`docs/runbooks/README.md does not list ${page}`);
  return `${alerts} alerts, ${pages.size} pages`;
});
await report.check('compose: valid', { 'docker compose': find('docker-compose') !== undefined }, () => run('docker-compose', ['-f', join(root, 'deploy/compose.yaml'), 'config', '-q']).then(() => undefined));

if (!options.has('--static')) {
  const cluster = { 'a cluster named by KUBECONFIG': Boolean(process.env.KUBECONFIG), ...on('kubectl'), ...on('helm') };
  await report.check('api server: server-side apply', cluster, applied);
  const docker = { 'a Docker that answers': await hasDocker() };
  await verifyImages(report, docker, root);
  await verifyCudaImage(report, docker, root);
  await verifyCompose(report, { ...docker, 'docker compose': find('docker-compose') !== undefined }, root);
  const ready = Object.values(cluster).every(Boolean) && (await hasNode());
  if (ready) await verifyOnNode(report, root);
  else await report.check('node: the chart installed, fed, disturbed, upgraded and rolled back', { ...cluster, 'a node in that cluster': ready }, () => undefined);
}

console.log(`\n${report.passed} passed, ${report.failed} failed${report.notRun.length > 0 ? `, ${report.notRun.length} not run` : ''}`);
process.exitCode = report.failed > 0 ? 1 : 0;

/** What a real API server takes, field by field; it refuses misspelt fields, which Helm passes. */
async function applied() {
  const known = new Set((await run('kubectl', ['api-resources', '--no-headers'])).trim().split('\n').map((line) => line.trim().split(/\s+/).at(-1)));
  const namespaces = ['plant', 'kafka'];
  for (const namespace of namespaces) await run('kubectl', ['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }) });
  let count = 0;
  const skipped = new Set();
  for (const example of examples) {
    const documents = (await render(example)).split(/^---$/m).filter((each) => /^kind: /m.test(each));
    const theirs = documents.filter((each) => known.has(/^kind: (\S+)/m.exec(each)[1]));
    for (const each of documents) if (!theirs.includes(each)) skipped.add(/^kind: (\S+)/m.exec(each)[1]);
    await run('kubectl', ['apply', '--server-side', '--dry-run=server', '--field-manager=verify', '-f', '-'], { input: theirs.join('\n---\n') });
    count += theirs.length;
  }
  return `${count} resources${skipped.size > 0 ? `; this cluster has no ${[...skipped].join(', ')}` : ''}`;
}
