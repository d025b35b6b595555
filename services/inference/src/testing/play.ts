import type { FeatureVector } from '@millwright/contracts';
import type { Emission, Processor } from '@millwright/streams';
import type { InferenceState } from '../state-codec.js';
import { contextOf, recordOf } from './fixtures.js';

/**
 * Gives vectors to an inference processor, `together` of them under way at a time; resolves to what it published, in order.
 * @param restartAt place of the vector before which the state goes through its codec; -1: none
 */
export async function play(processor: Processor<FeatureVector, InferenceState>, vectors: readonly FeatureVector[], together = 1, restartAt = -1): Promise<Emission[]> {
  let states = new Map<string, InferenceState>();
  const published: Emission[] = [];
  for (let from = 0; from < vectors.length; from += together) {
    const answers = vectors.slice(from, from + together).map((message, i) => {
      if (from + i === restartAt) states = new Map([...states].map(([key, state]) => [key, processor.codec.decode(processor.codec.encode(state), processor.stateVersion)]));
      const state = states.get(message.asset) ?? processor.initial(message.asset);
      states.set(message.asset, state);
      const record = recordOf(message, from + i);
      return processor.onRecord(processor.decode(record), state, contextOf(message.asset), record);
    });
    for (const emissions of await Promise.all(answers)) published.push(...emissions);
  }
  return published;
}
