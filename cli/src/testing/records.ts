import { WATERMARK_SCHEMA } from '@millwright/contracts';
import { openEmbeddedLog, type LogRecord } from '@millwright/streams';

/** All data records of some topics in an event log file that no process holds, in order. */
export async function recordsIn(file: string, topics: readonly string[]): Promise<LogRecord[]> {
  const log = openEmbeddedLog(file);
  try {
    const found: LogRecord[] = [];
    const tail = await log.tail({
      topics,
      from: 'earliest',
      batch: ({ records }) => {
        for (const record of records) if (record.headers.schema !== WATERMARK_SCHEMA) found.push({ ...record, value: record.value.slice() });
      },
    });
    await tail.caughtUp();
    return found;
  } finally {
    await log.close();
  }
}
