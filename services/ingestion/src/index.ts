export { GrpcPublisher, type GrpcPublisherOptions } from './grpc-publisher.js';
export { IngestionModule } from './ingestion.module.js';
export type { IntakeLane, Outcome, Receipt } from './intake-lane.js';
export { openIntake, type Intake, type IntakeOptions } from './intake.js';
export { DEFAULT_SETTINGS, ingestionEnvironment, type IngestionSettings } from './settings.js';
export { INTAKE } from './tokens.js';
