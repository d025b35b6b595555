import { noTelemetry, startTelemetry, type Telemetry } from '@millwright/observability';
import type { ShellConfig } from './config.js';

/** Of Millwright. */
export const VERSION = '0.1.0';

/** Telemetry as the settings ask for it. @param service service.name of all it emits */
export async function openTelemetry(service: string, { telemetryDisabled, instance, sampleRatio, otlpEndpoint }: ShellConfig): Promise<Telemetry> {
  if (telemetryDisabled) return noTelemetry;
  return startTelemetry({ service, version: VERSION, instance, sampleRatio, ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }) });
}
