import type { Logger } from '@millwright/observability';

/** Exit codes of a process, as shells and service managers know them. */
export const EXIT = { ok: 0, failed: 1, badInput: 2 } as const;

/** Less than service managers commonly wait before they kill (30 s). */
const LIMIT_MS = 15_000;

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Ends this process in order: SIGTERM and SIGINT call `stop` and exit 0, a second signal exits at once (128 + signal).
 * A stop that does not come to its end within LIMIT_MS, since what it needs is away, is cut short: exit code 1.
 * An error that nothing caught is logged and ends the process in the same order, with exit code 1.
 */
export function superviseProcess(logger: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const end = async (code: number) => {
    stopping = true;
    setTimeout(() => {
      logger.error({ limitMs: LIMIT_MS }, 'shutting down took too long; ending without the rest');
      process.exit(EXIT.failed);
    }, LIMIT_MS);
    try {
      await stop();
    } catch (error) {
      logger.error({ err: error }, 'shutting down failed');
      code = EXIT.failed;
    }
    process.exit(code);
  };
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (stopping) process.exit(128 + number);
      logger.info({ signal }, 'shutting down');
      void end(EXIT.ok);
    });
  }
  const fatal = (error: unknown) => {
    logger.fatal({ err: error }, 'an error that nothing caught; shutting down');
    if (!stopping) void end(EXIT.failed);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
}
