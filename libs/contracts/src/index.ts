export {
  Status,
} from './generated/google/rpc/status.js';
export {
  BadRequest,
  BadRequest_FieldViolation,
  ErrorInfo,
} from './generated/google/rpc/error_details.js';
export {
  Watermark,
  DeadLetter,
} from './generated/millwright/stream/v1/watermark.js';
export {
  Encoding,
  SignalValues,
  TelemetryBlock,
} from './generated/millwright/telemetry/v1/telemetry.js';
export {
  PublishRequest,
  PublishResponse,
  PublishContinuouslyRequest,
  PublishContinuouslyResponse,
  Refusal,
  IngestionServiceService,
  IngestionServiceClient,
  type IngestionServiceServer,
} from './generated/millwright/telemetry/v1/ingestion_service.js';
export {
  ProductionUnit_State,
  Inspection_Result,
  ProductionRecord,
  ProductionUnit,
  ProcessRecord,
  Inspection,
} from './generated/millwright/production/v1/production.js';
export {
  RecordProductionRequest,
  RecordProductionResponse,
  ProductionServiceService,
  ProductionServiceClient,
  type ProductionServiceServer,
} from './generated/millwright/production/v1/production_service.js';
export {
  FeatureVector,
  FeatureLayout,
} from './generated/millwright/features/v1/features.js';
export {
  ListLayoutsRequest,
  ListLayoutsResponse,
  GetLatestRequest,
  GetLatestResponse,
  FeatureServiceService,
  FeatureServiceClient,
  type FeatureServiceServer,
} from './generated/millwright/features/v1/feature_service.js';
export {
  InferenceResult,
  Diagnosis,
  ClassProbability,
  Regression,
  Anomaly,
  Contribution,
  ShadowFailure,
  ShadowResult,
} from './generated/millwright/inference/v1/inference.js';
export {
  ListModelsRequest,
  ListModelsResponse,
  LoadedModel,
  ModelServiceService,
  ModelServiceClient,
  type ModelServiceServer,
} from './generated/millwright/inference/v1/model_service.js';
export {
  GRPCInferenceServiceService,
  GRPCInferenceServiceClient,
  InferParameter,
  InferTensorContents,
  ModelInferRequest,
  ModelInferRequest_InferInputTensor,
  ModelInferResponse,
  ModelInferResponse_InferOutputTensor,
  ModelMetadataRequest,
  ModelMetadataResponse,
  ModelMetadataResponse_TensorMetadata,
  ModelReadyRequest,
  ModelReadyResponse,
  RepositoryIndexRequest,
  RepositoryIndexResponse,
  RepositoryIndexResponse_ModelIndex,
  RepositoryModelLoadRequest,
  RepositoryModelLoadResponse,
  RepositoryModelUnloadRequest,
  RepositoryModelUnloadResponse,
  ServerLiveRequest,
  ServerLiveResponse,
  ServerMetadataRequest,
  ServerMetadataResponse,
  ServerReadyRequest,
  ServerReadyResponse,
  type GRPCInferenceServiceServer,
} from './generated/inference/grpc_inference_service.js';
export {
  ChartType,
  FindingKind,
  Finding,
  SignalShare,
} from './generated/millwright/quality/v1/quality.js';
export {
  ListChartsRequest,
  ListChartsResponse,
  Chart,
  ChartPoint,
  QualityServiceService,
  QualityServiceClient,
  type QualityServiceServer,
} from './generated/millwright/quality/v1/quality_service.js';
export {
  AlarmState,
  Priority,
  AlarmEventType,
  Alarm,
  AlarmEvent,
  AlarmCommand,
  Acknowledge,
} from './generated/millwright/alarm/v1/alarm.js';
export {
  ListAlarmsRequest,
  ListAlarmsResponse,
  AlarmGroup,
  AcknowledgeAlarmRequest,
  AcknowledgeAlarmResponse,
  WatchAlarmsRequest,
  WatchAlarmsResponse,
  AlarmServiceService,
  AlarmServiceClient,
  type AlarmServiceServer,
} from './generated/millwright/alarm/v1/alarm_service.js';
export {
  Stage,
  ModelVersion,
} from './generated/millwright/model/v1/registry.js';
export {
  Approval,
  RegisterModelRequest,
  RegisterModelResponse,
  MoveModelRequest,
  MoveModelResponse,
  RollBackModelRequest,
  RollBackModelResponse,
  ListModelChangesRequest,
  ListModelChangesResponse,
  CompareModelRequest,
  CompareModelResponse,
  ShadowComparison,
  Confusion,
  ModelRegistryServiceService,
  ModelRegistryServiceClient,
  type ModelRegistryServiceServer,
} from './generated/millwright/model/v1/registry_service.js';
export { Any } from './generated/google/protobuf/any.js';
export type { MessageFns } from './generated/millwright/stream/v1/watermark.js';
export * from './topics.js';
export * from './packed.js';
export { UNKNOWN } from './unknown.js';
export type { Source, SourceStep } from './source.js';
