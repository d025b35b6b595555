/** A mistake of the person at the command line, one sentence with the remedy; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly badInput = true;
}
