import { createLogger, type Logger } from '@millwright/observability';
import { destination } from 'pino';

/** Warnings of a command go to standard error: standard output has its results. */
export const standardErrorLogger = (service: string): Logger => createLogger({ service, level: 'warn', destination: destination({ dest: process.stderr.fd, sync: true }) });
