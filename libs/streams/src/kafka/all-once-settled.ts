/** As Promise.all, but fails with the first error only when all have settled: nothing of what failed is still under way. */
export async function allOnceSettled<T>(requests: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(requests);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
