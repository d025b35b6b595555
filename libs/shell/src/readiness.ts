import { Injectable } from '@nestjs/common';

/** Resolves to undefined when all is well, or to one sentence that says what is not. */
export type Check = () => Promise<string | undefined> | string | undefined;

export interface CheckResult {
  readonly name: string;
  readonly problem?: string;
}

/** What must hold before this process is given work. Services add their own checks (models loaded, baselines read). */
@Injectable()
export class Readiness {
  readonly #checks = new Map<string, Check>();

  add(name: string, check: Check): void {
    if (this.#checks.has(name)) throw new Error(`there are two readiness checks named ${name}`);
    this.#checks.set(name, check);
  }

  /** Runs all checks, a throwing one counting as failed. */
  async check(): Promise<readonly CheckResult[]> {
    return Promise.all(
      [...this.#checks].map(async ([name, check]) => {
        try {
          const problem = await check();
          return problem === undefined ? { name } : { name, problem };
        } catch (error) {
          return { name, problem: error instanceof Error ? error.message : String(error) };
        }
      }),
    );
  }
}
