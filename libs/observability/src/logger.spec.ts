import { describe, expect, it } from '@jest/globals';
import { createLogger } from './logger.js';

describe('createLogger', () => {
  it('writes one JSON object a line, errors with their cause', () => {
    const lines: string[] = [];
    const logger = createLogger({ service: 'features', level: 'info', destination: { write: (line) => void lines.push(line) } });
    logger.debug({}, 'not written');
    logger.child({ processor: 'features' }).error({ err: new Error('no answer', { cause: new Error('socket closed') }) }, 'commit failed');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'error',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      service: 'features',
      processor: 'features',
      message: 'commit failed',
      err: expect.objectContaining({ type: 'Error', message: 'no answer', stack: expect.any(String), cause: expect.objectContaining({ message: 'socket closed' }) }),
    });
  });
});
