import type { WriteStream } from 'node:tty';
import { TOPICS } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import type { ProcessorStatus } from '@millwright/streams';
import type { PipelineMeter } from './pipeline-meter.js';
import { render } from './render.js';

const FRAME_MS = 200;
/** Rates are taken over so many frames. */
const RATE_FRAMES = 25;

const ALTERNATE_ON = '\u001b[?1049h\u001b[?25l';
const ALTERNATE_OFF = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_TO_END_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export interface TerminalViewOptions {
  readonly plant: Plant;
  readonly meter: PipelineMeter;
  readonly speed: number | 'max';
  /** Short facts for the last line. */
  readonly footer: readonly string[];
  readonly statuses: () => Promise<readonly ProcessorStatus[]>;
  readonly output?: WriteStream;
}

interface Count {
  readonly atMs: number;
  readonly samples: number;
  readonly windows: number;
  readonly inferences: number;
}

/** Draws the live view on a terminal's alternate screen until it is stopped; what was there comes back then. */
export class TerminalView {
  readonly #options: TerminalViewOptions;
  readonly #output: WriteStream;
  readonly #counts: Count[] = [];
  readonly #beganMs = performance.now();
  #stalled: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #frames = 0;

  constructor(options: TerminalViewOptions) {
    this.#options = options;
    this.#output = options.output ?? process.stdout;
  }

  start(): void {
    this.#output.write(ALTERNATE_ON);
    // Whatever ends the process, the terminal must be usable afterwards.
    process.once('exit', this.#restore);
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    this.#draw();
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.off('exit', this.#restore);
    this.#restore();
  }

  readonly #restore = (): void => {
    this.#output.write(ALTERNATE_OFF);
  };

  #draw(): void {
    if (this.#frames++ % RATE_FRAMES === 0) this.#look();
    const { plant, meter, speed, footer } = this.#options;
    const elapsedS = (performance.now() - this.#beganMs) / 1000;
    const lines = render({ plant, meter, speed, footer, rates: this.#rates(), elapsedS, stalled: this.#stalled }, this.#output.columns, this.#output.rows, this.#output.hasColors());
    this.#output.write(HOME + lines.map((line) => line + CLEAR_TO_END_OF_LINE).join('\r\n') + CLEAR_BELOW);
  }

  #rates(): { samples: number; windows: number; inferences: number } {
    const { meter } = this.#options;
    const now: Count = { atMs: performance.now(), samples: meter.samples, windows: meter.count(TOPICS.features), inferences: meter.count(TOPICS.inferences) };
    this.#counts.push(now);
    if (this.#counts.length > RATE_FRAMES) this.#counts.shift();
    const then = this.#counts[0]!;
    const seconds = Math.max(FRAME_MS, now.atMs - then.atMs) / 1000;
    return { samples: (now.samples - then.samples) / seconds, windows: (now.windows - then.windows) / seconds, inferences: (now.inferences - then.inferences) / seconds };
  }

  /** Asks the processors whether they are stalled, now and then. */
  #look(): void {
    this.#options.statuses().then(
      (statuses) => {
        this.#stalled = statuses.flatMap(({ processor, stalled }) => (stalled === undefined ? [] : [`${processor}: ${stalled}`]));
      },
      (error: unknown) => {
        this.#stalled = [`a service does not answer (${(error as Error).message})`];
      },
    );
  }
}
