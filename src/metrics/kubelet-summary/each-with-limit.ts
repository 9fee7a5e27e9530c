/**
 * Runs `act` for every item, at most `limit` at a time, and resolves when all are done.
 * @param act must not reject
 */
export async function eachWithLimit<T>(
  items: readonly T[],
  limit: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
