import type { Source, SourceStep } from '@millwright/contracts';

/**
 * A source as if it began now: all its times are moved by one span. A line that has been fed before is past the times of a simulation or a file,
 * and would take all of it for late.
 */
export function fromNow(source: Source, nowUs = Date.now() * 1000): Source {
  let spanUs: number | undefined;
  return {
    name: source.name,
    close: () => source.close(),
    async next() {
      const step = await source.next();
      if (step === undefined) return undefined;
      // Whole seconds: windows begin at multiples of their hop.
      spanUs ??= Math.ceil((nowUs - beginning(step)) / 1e6) * 1e6;
      return shifted(step, spanUs);
    },
  };
}

const beginning = ({ blocks, production, advanceToUs }: SourceStep): number =>
  Math.min(advanceToUs, ...blocks.map(({ startUs }) => startUs), ...production.map(({ timeUs }) => timeUs));

/** A step with all its times moved. */
export const shifted = (step: SourceStep, spanUs: number): SourceStep => ({
  ...step,
  blocks: step.blocks.map((block) => ({ ...block, startUs: block.startUs + spanUs })),
  production: step.production.map((record) => ({ ...record, timeUs: record.timeUs + spanUs })),
  advanceToUs: step.advanceToUs + spanUs,
});
