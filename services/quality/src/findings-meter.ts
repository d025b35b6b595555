import { Finding, FindingKind, TOPICS } from '@millwright/contracts';
import { ATTRIBUTES, METRICS, type Telemetry } from '@millwright/observability';
import type { CommitListener } from '@millwright/shell';

const NAMES: Readonly<Partial<Record<FindingKind, string>>> = {
  [FindingKind.CONTROL_RULE]: 'control_rule',
  [FindingKind.MULTIVARIATE]: 'multivariate',
  [FindingKind.CAPABILITY]: 'capability',
  [FindingKind.SILENT_SIGNAL]: 'silent_signal',
  [FindingKind.DRIFT]: 'drift',
};

/** Counts what charts and monitors find, as it is committed; that a condition has ended is no finding. */
export function findingsMeter(telemetry: Telemetry): CommitListener {
  const findings = telemetry.counter(METRICS.qualityFindings);
  return ({ outputs }) => {
    for (const { topic, value, headers } of outputs) {
      if (topic !== TOPICS.quality.name || headers.schema !== TOPICS.quality.schema) continue;
      const { finding, asset, active } = Finding.decode(value);
      if (active) findings.add(1, { [ATTRIBUTES.finding]: NAMES[finding] ?? 'other', [ATTRIBUTES.asset]: asset });
    }
  };
}
