import type { Refusal } from '@millwright/contracts';
import { ATTRIBUTES, METRICS, type Telemetry } from '@millwright/observability';

/** Counts what is offered to ingestion and what became of it. */
export class IntakeMeter {
  readonly #records;
  readonly #refusals;

  constructor(telemetry: Telemetry) {
    this.#records = telemetry.counter(METRICS.intakeRecords);
    this.#refusals = telemetry.counter(METRICS.intakeRefusals);
  }

  taken(topic: string, { accepted, repeated }: { accepted: number; repeated: number }): void {
    if (accepted > 0) this.#records.add(accepted, { [ATTRIBUTES.topic]: topic, [ATTRIBUTES.outcome]: 'accepted' });
    if (repeated > 0) this.#records.add(repeated, { [ATTRIBUTES.topic]: topic, [ATTRIBUTES.outcome]: 'repeated' });
  }

  refused(topic: string, records: number, refusals: readonly Refusal[]): void {
    if (records > 0) this.#records.add(records, { [ATTRIBUTES.topic]: topic, [ATTRIBUTES.outcome]: 'refused' });
    for (const { reason } of refusals) this.#refusals.add(1, { [ATTRIBUTES.reason]: reason });
  }
}
