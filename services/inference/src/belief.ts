import type { DiagnosisManifest } from '@millwright/models';
import { filterWindow, initialBelief, type Persistence } from '@millwright/signal';
import type { History, HistoryWindow } from './history.js';
import type { Filtered } from './result.js';

/**
 * What is to be believed after a window, where a package is filtered over time: what it says of the window, after what was believed after
 * the window before. That is taken as it stands in the log: an amended window changes what comes after it in the log, and judgements of
 * later windows that have been made stand. Where the window before has no judgement, the machine was in good health.
 * @param said probability of each label by the window alone; windows may be judged in any order, they are filtered in that of the log
 */
export function believe(history: History, window: HistoryWindow, hopUs: number, { labels, normal }: Pick<DiagnosisManifest, 'labels' | 'normal'>, filter: Persistence, said: Promise<readonly number[]>): Promise<Filtered> {
  const { windows, judging = Promise.resolve() } = history;
  const last = windows[windows.indexOf(window) - 1];
  const before = last?.startUs === window.startUs - hopUs ? last : undefined;
  const filtered = Promise.all([said, judging]).then(([ofWindow]) => {
    const belief = (window.belief = filterWindow(before?.belief ?? initialBelief(labels.length, labels.indexOf(normal)), ofWindow, filter));
    return { ofWindow, belief };
  });
  history.judging = Promise.allSettled([judging, filtered]).then(() => undefined);
  return filtered;
}
