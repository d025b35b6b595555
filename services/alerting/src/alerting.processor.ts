import { acknowledge, advance, nextChangeUs, observe, unobserved, type Condition, type Evidence, type Step } from '@millwright/alarms';
import { Alarm, AlarmCommand, AlarmEvent, Finding, InferenceResult, TOPICS, UNKNOWN, type ClassProbability, type Contribution, type Diagnosis } from '@millwright/contracts';
import type { Asset, Plant } from '@millwright/plant';
import { PoisonRecordError, type Context, type Emission, type LogRecord, type Processor } from '@millwright/streams';
import { EVENT_TYPES, alarmId, toAlarm } from './alarm.js';
import { conditionSubject, diagnosisCondition, findingCondition, findingSeverity, ruleOf } from './conditions.js';
import { STATE_VERSION, initialState, stateCodec, type AlertingState, type Detail, type EarlyAcknowledgement } from './state.js';

export type AlertingInput =
  | { readonly kind: 'inference'; readonly message: InferenceResult }
  | { readonly kind: 'finding'; readonly message: Finding }
  | { readonly kind: 'command'; readonly message: AlarmCommand };

/** Acknowledgements of occurrences that are still to come, kept of each asset; more than this is no accident of order. */
const MOST_EARLY = 64;
const MOST_SIGNALS = 5;

/**
 * Makes alarms of diagnoses and findings, and takes acknowledgements.
 *
 * - Only the most probable class, unless it is the normal one, turns its condition on; it stays on until its probability
 *   falls below `offBelow`. A label that the model no longer has is off.
 * - Results of one model, and findings of one chart, are taken in order of event time. A late one, older than the latest,
 *   is declared late: alarms that were announced stand. One for the same window (revision > 0) corrects from then on.
 * - An acknowledgement names an occurrence. One that comes before the records that raise it waits for them, so the
 *   resulting state doesn't depend on how commands and results were interleaved. Only the events' order does, and whether
 *   there is one for an occurrence that is over.
 * - Each change of state gives one event and one new value of the alarm's state. In between, the state is published
 *   whenever the count of evidence has doubled.
 */
class AlertingProcessor implements Processor<AlertingInput, AlertingState> {
  readonly name = 'alerting';
  readonly inputs = [TOPICS.inferences.name, TOPICS.quality.name, TOPICS.alarmCommands.name];
  readonly outputs = [TOPICS.alarms.name, TOPICS.alarmStates.name];
  readonly stateVersion = STATE_VERSION;
  readonly codec = stateCodec;
  readonly initial = initialState;
  readonly #plant: Plant;

  constructor(plant: Plant) {
    this.#plant = plant;
  }

  decode({ topic, value, key }: LogRecord): AlertingInput {
    const input = decodeOf(topic, value);
    if (input.message.asset !== key) throw new PoisonRecordError(`asset: "${input.message.asset}" stands in a record with key "${key}": the writer must use the asset as the key`);
    return input;
  }

  onRecord(input: AlertingInput, state: AlertingState, context: Context): readonly Emission[] {
    const asset = this.#asset(context.key);
    switch (input.kind) {
      case 'inference':
        return onInference(asset, input.message, state, context);
      case 'finding':
        return onFinding(asset, input.message, state, context);
      case 'command':
        return onCommand(asset, input.message, state);
    }
  }

  onTimer(timeUs: number, state: AlertingState, context: Context): readonly Emission[] {
    const asset = this.#asset(context.key);
    const conditions = context.topic === TOPICS.inferences.name ? state.diagnoses : state.findings;
    const emissions: Emission[] = [];
    for (const [name, condition] of conditions) {
      apply(asset, state, conditions, name, condition, advance(condition, ruleOf(asset, name), timeUs), emissions);
    }
    askForTimer(asset, conditions, context);
    return emissions;
  }

  #asset(id: string): Asset {
    const asset = this.#plant.assets.get(id);
    if (asset === undefined) throw new PoisonRecordError(`asset: "${id}" is not in the plant file of ${this.#plant.name}: add it there, or stop what sends it`);
    return asset;
  }
}

/** The processor of the alerting service. */
export function createAlertingProcessor(plant: Plant): Processor<AlertingInput, AlertingState> {
  return new AlertingProcessor(plant);
}

function decodeOf(topic: string, value: Uint8Array): AlertingInput {
  switch (topic) {
    case TOPICS.inferences.name:
      return { kind: 'inference', message: InferenceResult.decode(value) };
    case TOPICS.quality.name:
      return { kind: 'finding', message: Finding.decode(value) };
    default:
      return { kind: 'command', message: AlarmCommand.decode(value) };
  }
}

function onInference(asset: Asset, inference: InferenceResult, state: AlertingState, context: Context): readonly Emission[] {
  if (inference.result?.$case !== 'diagnosis') return [];
  const diagnosis = inference.result.value;
  const { model, windowEndUs } = inference;
  checkProbabilities(diagnosis);
  if (windowEndUs < (state.judgedUs.get(model) ?? -Infinity)) {
    context.late(`${model} judged a later window of ${asset.id} before`);
    return [];
  }
  state.judgedUs.set(model, windowEndUs);
  const emissions: Emission[] = [];
  const detail: Detail = { signals: contributing(inference.contributions), model };
  const see = (label: string, severity: number): void => {
    const name = diagnosisCondition(label);
    take(asset, state, state.diagnoses, name, { timeUs: windowEndUs, severity, detail }, emissions);
  };
  const evidence = withUnknown(diagnosis);
  for (const { label, probability } of evidence) {
    const condition = state.diagnoses.get(diagnosisCondition(label));
    const leads = label === diagnosis.label && !diagnosis.normal;
    if (condition !== undefined) see(label, leads || condition.detection.on ? probability : 0);
    else if (leads && probability >= asset.kind.alarms.diagnosis.onAt) see(label, probability);
  }
  for (const label of labelsGone(state, inference.model, evidence)) see(label, 0);
  askForTimer(asset, state.diagnoses, context);
  return emissions;
}

function checkProbabilities({ probabilities }: Diagnosis): void {
  const wrong = probabilities.find(({ probability }) => !(probability >= 0 && probability <= 1));
  if (wrong !== undefined) throw new PoisonRecordError(`diagnosis.probabilities: ${wrong.probability} of "${wrong.label}" is not between 0 and 1: the model's output is no probability`);
}

/**
 * What a diagnosis is evidence of. A fault that the model does not know is a condition of its own, as sure as it is that the machine
 * is not healthy, and not at all in a window that is judged otherwise.
 */
function withUnknown({ label, normal, confidence, probabilities }: Diagnosis): readonly ClassProbability[] {
  if (probabilities.some((each) => each.label === UNKNOWN)) return probabilities;
  return [...probabilities, { label: UNKNOWN, probability: label === UNKNOWN && !normal ? confidence : 0 }];
}

const contributing = (contributions: readonly Contribution[]): string[] => contributions.slice(0, MOST_SIGNALS).map(({ signal }) => signal);

/** Labels that were seen from this model and are not among those of its present version. */
function labelsGone({ diagnoses }: AlertingState, model: string, probabilities: readonly ClassProbability[]): string[] {
  const gone: string[] = [];
  for (const [name, { detail }] of diagnoses) {
    const label = conditionSubject(name);
    if (detail?.model === model && !probabilities.some((each) => each.label === label)) gone.push(label);
  }
  return gone;
}

function onFinding(asset: Asset, finding: Finding, state: AlertingState, context: Context): readonly Emission[] {
  const name = findingCondition(finding);
  if (name === undefined) throw new PoisonRecordError(`finding: kind ${finding.finding} is not known to this version: update the alerting service`);
  const latestUs = state.findings.get(name)?.detection.observedUs ?? -Infinity;
  if (finding.timeUs < latestUs) {
    context.late(`a later finding of ${finding.chart} came before`);
    return [];
  }
  const emissions: Emission[] = [];
  const detail: Detail = { signals: signalsOf(asset, name, finding), description: finding.description };
  take(asset, state, state.findings, name, { timeUs: finding.timeUs, severity: findingSeverity(finding), detail }, emissions);
  askForTimer(asset, state.findings, context);
  return emissions;
}

/** What a finding is about: the silent signal, the shares in a multivariate statistic, or the signal that is charted. */
function signalsOf(asset: Asset, condition: string, finding: Finding): string[] {
  const subject = conditionSubject(condition);
  if (condition.startsWith('silent/')) return [subject];
  if (finding.contributions.length > 0) return finding.contributions.slice(0, MOST_SIGNALS).map(({ signal }) => signal);
  const source = asset.kind.charts.find(({ name }) => name === subject)?.source;
  return source !== undefined && 'feature' in source ? [source.feature.slice(0, source.feature.lastIndexOf('.'))] : [];
}

function onCommand(asset: Asset, command: AlarmCommand, state: AlertingState): readonly Emission[] {
  const acknowledgement = acknowledgementOf(asset, command);
  const { condition: name } = acknowledgement;
  const conditions = state.diagnoses.has(name) ? state.diagnoses : state.findings;
  const condition = conditions.get(name);
  if (acknowledgement.occurrence > (condition?.occurrence ?? 0)) {
    if (state.early.length >= MOST_EARLY) throw new PoisonRecordError(`${asset.id} has ${MOST_EARLY} acknowledgements of occurrences that have not come: acknowledge what ListAlarms shows`);
    state.early.push(acknowledgement);
    return [];
  }
  const emissions: Emission[] = [];
  if (condition !== undefined) apply(asset, state, conditions, name, condition, acknowledge(condition, acknowledgement), emissions);
  return emissions;
}

function acknowledgementOf(asset: Asset, { alarmId: id, command, timeUs }: AlarmCommand): EarlyAcknowledgement {
  if (command === undefined) throw new PoisonRecordError('command: there is none that this version knows');
  const { occurrence, by, comment } = command.value;
  const prefix = alarmId(asset.id, '');
  if (!id.startsWith(prefix) || id.length === prefix.length) throw new PoisonRecordError(`alarm_id: "${id}" is no alarm of ${asset.id}`);
  if (occurrence < 1) throw new PoisonRecordError('acknowledge.occurrence: name the occurrence, from 1');
  if (by === '') throw new PoisonRecordError('acknowledge.by: say who acknowledges');
  return { condition: id.slice(prefix.length), occurrence, by, comment, timeUs };
}

/** Lets a condition take an observation. */
function take(
  asset: Asset, state: AlertingState, conditions: Map<string, Condition<Detail>>, name: string, evidence: Evidence<Detail>, emissions: Emission[],
): void {
  const condition = conditions.get(name) ?? unobserved<Detail>();
  apply(asset, state, conditions, name, condition, observe(condition, ruleOf(asset, name), evidence), emissions);
}

/** Keeps what a step leads to and publishes how it got there. */
function apply(
  asset: Asset, state: AlertingState, conditions: Map<string, Condition<Detail>>, name: string, before: Condition<Detail>, step: Step<Detail>, emissions: Emission[],
): void {
  const early = takeEarly(state, name, step.condition);
  const { condition, transitions } = early === undefined ? step : followed(step, acknowledge(step.condition, early));
  conditions.set(name, condition);
  for (const transition of transitions) {
    const alarm = toAlarm(asset, name, transition.condition);
    const event = AlarmEvent.encode({ type: EVENT_TYPES[transition.cause], timeUs: transition.timeUs, alarm }).finish();
    emissions.push(emission(TOPICS.alarms, alarm.id, event, transition.timeUs), stateOf(alarm, transition.timeUs));
  }
  const published = (transitions.at(-1)?.condition ?? before).evidence;
  if (condition.detection.alarming && condition.evidence > published && isPowerOfTwo(condition.evidence)) {
    emissions.push(stateOf(toAlarm(asset, name, condition), condition.detection.observedUs));
  }
}

const followed = (first: Step<Detail>, second: Step<Detail>): Step<Detail> => ({
  condition: second.condition,
  transitions: [...first.transitions, ...second.transitions],
});

/** The acknowledgement that had been waiting for this occurrence; those for earlier ones have nothing to wait for. */
function takeEarly(state: AlertingState, name: string, { occurrence }: Condition<Detail>): EarlyAcknowledgement | undefined {
  if (state.early.length === 0) return undefined;
  const found = state.early.find((each) => each.condition === name && each.occurrence === occurrence);
  state.early = state.early.filter((each) => each.condition !== name || each.occurrence > occurrence);
  return found;
}

/** One timer for all conditions of the present input topic: the earliest change that the passing of time alone makes. */
function askForTimer(asset: Asset, conditions: ReadonlyMap<string, Condition<Detail>>, context: Context): void {
  let earliestUs = Infinity;
  for (const [name, condition] of conditions) earliestUs = Math.min(earliestUs, nextChangeUs(condition, ruleOf(asset, name)));
  context.setTimer(earliestUs);
}

const isPowerOfTwo = (count: number): boolean => Number.isInteger(Math.log2(count));

const stateOf = (alarm: Alarm, timeUs: number): Emission => emission(TOPICS.alarmStates, alarm.id, Alarm.encode(alarm).finish(), timeUs);

const emission = (topic: { readonly name: string; readonly schema: string }, key: string, value: Uint8Array, timeUs: number): Emission => ({
  topic: topic.name,
  key,
  value,
  timeMs: Math.floor(timeUs / 1000),
  schema: topic.schema,
});
