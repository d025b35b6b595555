const MODULUS = 2147483647;

/** Numbers from above 0 to below 1 that follow from a seed (Park and Miller's generator): the same in every run. */
export function randomOf(seed: number): () => number {
  let state = seed % MODULUS;
  return () => (state = (state * 48271) % MODULUS) / MODULUS;
}
