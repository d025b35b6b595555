import { ModelVersion, Stage as WireStage, TOPICS } from '@millwright/contracts';
import type { Change, Stage } from '@millwright/models';
import { partitionFor, type LogRecord, type NewRecord } from '@millwright/streams';

const WIRE: Readonly<Record<Stage, WireStage>> = {
  candidate: WireStage.CANDIDATE,
  shadow: WireStage.SHADOW,
  canary: WireStage.CANARY,
  production: WireStage.PRODUCTION,
  retired: WireStage.RETIRED,
};

export const toWireStage = (stage: Stage): WireStage => WIRE[stage];

/** Undefined for one that this version does not know. */
export const fromWireStage = (stage: WireStage): Stage | undefined => (Object.keys(WIRE) as Stage[]).find((each) => WIRE[each] === stage);

export function toMessage({ name, version, stage, packageSha256, by, reason, changedUs, revision, effectiveUs, share, rollback, signedBy, manifest, id }: Change): ModelVersion {
  return { name, version, stage: WIRE[stage], packageSha256, changedBy: by, reason, changedUs, revision, effectiveUs, share, rollback, signedBy, manifest, changeId: id };
}

/** Undefined where the stage is one that this version does not know. */
export function fromMessage({ stage: wire, changedBy: by, changeId: id, ...rest }: ModelVersion): Change | undefined {
  const stage = fromWireStage(wire);
  return stage === undefined ? undefined : { ...rest, stage, by, id };
}

/**
 * The record of a change. Its key is its own, so that compaction removes nothing but a copy of it; its place is its model's, so that
 * the changes of a model are in order.
 */
export function changeRecord(change: Change, partitions: number): NewRecord {
  const { name: topic, schema } = TOPICS.models;
  return {
    topic,
    partition: partitionFor(change.name, partitions),
    key: `${change.name}/${change.revision}/${change.id}`,
    value: ModelVersion.encode(toMessage(change)).finish(),
    timeMs: Math.floor(change.effectiveUs / 1000),
    headers: { schema, source: `model-registry/${change.id}`, sequence: 1 },
  };
}

export const readChange = ({ value }: LogRecord): Change | undefined => fromMessage(ModelVersion.decode(value));
