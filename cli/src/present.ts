import type { Source } from '@millwright/contracts';
import { statusLine, TerminalView, type PipelineMeter } from '@millwright/liveview';
import type { Plant } from '@millwright/plant';
import type { Line } from './line.js';
import type { RefusalReporter } from './refusals.js';
import type { RunOptions } from './run-options.js';
import { runSession, type Resumption } from './session.js';

const LINE_EVERY_MS = 3_000;

export interface Presentation {
  readonly options: RunOptions;
  readonly plant: Plant;
  readonly source: Source;
  readonly line: Line;
  readonly meter: PipelineMeter;
  readonly refusals: RefusalReporter;
  readonly resumption?: Resumption;
}

/** Runs a session and shows it: a live view on a terminal, a line every few seconds elsewhere, one JSON line at the end when asked. Returns the exit code. */
export async function present({ options, plant, source, line, meter, refusals, resumption }: Presentation): Promise<number> {
  await meter.attach(line.log);
  const stop = new AbortController();
  const onSignal = (): void => {
    // A second signal ends at once.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const timer = options.for === undefined ? undefined : setTimeout(() => stop.abort(), options.for * 1000);
  const view = show(options, plant, line, meter);
  try {
    const { summary, problem, broken } = await runSession({ line, source, meter, speed: options.speed, signal: stop.signal, ...(resumption === undefined ? {} : { resumption }) });
    view.stop();
    for (const sentence of refusals.lines) process.stderr.write(`${sentence}\n`);
    if (problem !== undefined) process.stderr.write(`${problem}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
    if (broken !== undefined) throw broken;
    return problem === undefined && summary.lost === 0 && summary.duplicated === 0 ? 0 : 1;
  } finally {
    view.stop();
    clearTimeout(timer);
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await meter.close();
  }
}

function show(options: RunOptions, plant: Plant, line: Line, meter: PipelineMeter): { stop(): void } {
  if (process.stdout.isTTY && !options.json) {
    const view = new TerminalView({ plant, meter, speed: options.speed, footer: line.addresses, statuses: () => line.statuses() });
    view.start();
    return view;
  }
  for (const address of line.addresses) process.stderr.write(`${address}\n`);
  const print = (): void => {
    process.stderr.write(`${statusLine(meter)}\n`);
  };
  const timer = setInterval(print, LINE_EVERY_MS);
  let running = true;
  return {
    stop() {
      if (running) print();
      running = false;
      clearInterval(timer);
    },
  };
}
