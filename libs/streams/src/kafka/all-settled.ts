/** Waits for all of them, and only then fails with the first error: nothing of what failed is still under way. */
export async function allSettled<T>(requests: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(requests);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
