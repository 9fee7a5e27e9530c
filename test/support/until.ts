/** Resolves when the condition holds; rejects after fifteen seconds. For what real sockets bring about. */
export async function until(condition: () => boolean, what: string, limitMs = 15_000): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`never came about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
