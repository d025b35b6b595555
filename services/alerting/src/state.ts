import type { Acknowledgement, Condition } from '@millwright/alarms';
import type { StateCodec } from '@millwright/streams';

/** What is shown of the most severe evidence of a condition. */
export interface Detail {
  /** Signals involved, the most important first. */
  readonly signals: readonly string[];
  /** Model that gave the diagnosis. */
  readonly model?: string;
  /** What a finding says of itself. */
  readonly description?: string;
}

/** An acknowledgement that was read before the inputs that raise the occurrence it is for. */
export interface EarlyAcknowledgement extends Acknowledgement {
  readonly condition: string;
}

/**
 * Alarms of one asset. What comes from inferences and what comes from quality findings is kept apart, so that it doesn't
 * matter how the two topics were interleaved.
 */
export interface AlertingState {
  /** End of the newest window judged, microseconds since the epoch, by model. */
  readonly judgedUs: Map<string, number>;
  /** By name, "diagnosis/<label>"; none before its label first reached `onAt`. */
  readonly diagnoses: Map<string, Condition<Detail>>;
  /** By name, "quality/<chart>" and so on. */
  readonly findings: Map<string, Condition<Detail>>;
  early: EarlyAcknowledgement[];
}

export const STATE_VERSION = 1;

export const initialState = (): AlertingState => ({ judgedUs: new Map(), diagnoses: new Map(), findings: new Map(), early: [] });

interface Stored {
  readonly judgedUs: [string, number][];
  readonly diagnoses: [string, Condition<Detail>][];
  readonly findings: [string, Condition<Detail>][];
  readonly early: EarlyAcknowledgement[];
}

/** JSON: small, and written only at checkpoints. */
export const stateCodec: StateCodec<AlertingState> = {
  encode({ judgedUs, diagnoses, findings, early }) {
    const stored: Stored = { judgedUs: [...judgedUs], diagnoses: [...diagnoses], findings: [...findings], early };
    return new TextEncoder().encode(JSON.stringify(stored));
  },
  decode(bytes, version) {
    if (version !== STATE_VERSION) {
      throw new Error(`alerting state: version ${version} is not ${STATE_VERSION}, the one known here: run the release that wrote it, or drop the checkpoint to rebuild it from the log`);
    }
    const stored = JSON.parse(new TextDecoder().decode(bytes)) as Stored;
    return { judgedUs: new Map(stored.judgedUs), diagnoses: new Map(stored.diagnoses), findings: new Map(stored.findings), early: stored.early };
  },
};
