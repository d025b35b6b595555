export class TrainingEnvironmentError extends Error {
  readonly badInput: true;
}
export function pythonEnvironment(): Promise<string>;
