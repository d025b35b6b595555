/**
 * Whether an error is about what people gave: files, settings, commands. Such errors carry `badInput: true`, whichever
 * library they are of; their message is all there is to say, in sentences with place and remedy, and the exit code is EXIT.badInput.
 */
export function isBadInput(error: unknown): error is Error {
  return error instanceof Error && 'badInput' in error && error.badInput === true;
}
