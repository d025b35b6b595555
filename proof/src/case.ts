/** What a case found. */
export interface Verdict {
  /** Times that something was killed, cut off or otherwise broken on purpose. */
  readonly killed: number;
  /** Records that the undisturbed run has and this one has not, and those of the input that the ledgers miss. */
  readonly lost: number;
  /** Records that this run has more than once. */
  readonly duplicated: number;
  /** Whether the output is that of the undisturbed run: the same records in the same order within each key. */
  readonly identical: boolean;
  /** Seconds from the worst disturbance to the first output after it; left out where nothing was to recover. */
  readonly recovery_s?: number;
  /** What did not hold, a sentence each, for people. */
  readonly failures: readonly string[];
}

/** Whether the claim stands. */
export const holds = ({ lost, duplicated, identical, failures }: Verdict): boolean => lost === 0 && duplicated === 0 && identical && failures.length === 0;

/** What a case may use. */
export interface Stage {
  /** Folder for its files, gone afterwards unless the case failed. */
  readonly folder: string;
  /** Names the random choices of the case, so that a failure can be repeated. */
  readonly seed: number;
  /** How long cases that go on for a time are to last. */
  readonly seconds: number;
  /** Tells people what is going on, a line each. */
  progress(line: string): void;
}

/** One claim and the program that tries to refute it. */
export interface Case {
  /** Name on the command line, such as kill-services. */
  readonly name: string;
  /** The claim, in one sentence. */
  readonly claim: string;
  run(stage: Stage): Promise<Verdict>;
}
