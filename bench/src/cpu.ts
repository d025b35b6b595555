import { readFileSync } from 'node:fs';

/** The kernel's USER_HZ, by which /proc counts: 100 for programs on Linux. */
const TICKS_PER_SECOND = 100;

/** CPU time of a process so far with all its threads, user and system, seconds. */
export function cpuSeconds(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    throw new Error(`CPU time is read from /proc, which only Linux has (${(error as Error).message}); run this figure there`, { cause: error });
  }
  // Fields after the name, which may have blanks: state is the third of all, utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
