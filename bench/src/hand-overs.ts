import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lines of libs/streams' run on partitions that come and go. */
interface Line {
  readonly time: string;
  readonly task: string;
  readonly message: string;
  readonly tookMs: number;
  readonly openMs: number;
  readonly restoreMs: number;
  readonly reapplied: number;
}

interface Event extends Line {
  readonly file: string;
  readonly atMs: number;
}

/** Says for each hand-over of a partition since then how long nobody worked on it, and what that consisted of, from the logs that the services left in a folder. */
export function describeHandOvers(folder: string, sinceMs: number): string[] {
  const byTask = new Map<string, Event[]>();
  for (const event of eventsIn(folder)) byTask.set(event.task, [...(byTask.get(event.task) ?? []), event]);
  const handOvers = [...byTask].flatMap(([task, events]) => {
    events.sort((a, b) => a.atMs - b.atMs);
    return events.flatMap((upToDate) => {
      if (!upToDate.message.endsWith(' is up to date') || upToDate.atMs < sinceMs) return [];
      const assigned = events.findLast(({ message, file, atMs }) => message.endsWith(' assigned') && file === upToDate.file && atMs <= upToDate.atMs);
      const givenBack = events.findLast(({ message, file, atMs }) => message.endsWith(' given back') && file !== upToDate.file && atMs <= upToDate.atMs);
      return assigned === undefined || givenBack === undefined ? [] : [{ task, upToDate, assigned, leftMs: givenBack.atMs - givenBack.tookMs, givenBack }];
    });
  });
  return handOvers
    .sort((a, b) => a.leftMs - b.leftMs)
    .map(({ task, upToDate, assigned, leftMs, givenBack }) => {
      const { openMs, restoreMs } = assigned;
      const beganMs = assigned.atMs - openMs - restoreMs;
      return (
        `${new Date(leftMs).toISOString().slice(14, -1)} ${task.padEnd(19)} nobody for ${String(upToDate.atMs - leftMs).padStart(5)} ms: given back in ${givenBack.tookMs}, taken ${beganMs - givenBack.atMs} after that, ` +
        `opened in ${openMs}, restored in ${restoreMs}, read on in ${upToDate.atMs - assigned.atMs} (${upToDate.reapplied} records re-applied)`
      );
    });
}

function eventsIn(folder: string): Event[] {
  return readdirSync(folder).filter((name) => name.endsWith('.log')).flatMap((file) =>
    readFileSync(join(folder, file), 'utf8').split('\n').filter((line) => line.startsWith('{')).flatMap((text) => {
      const line = JSON.parse(text) as Line;
      return line.task === undefined ? [] : [{ ...line, file, atMs: Date.parse(line.time) }];
    }),
  );
}
