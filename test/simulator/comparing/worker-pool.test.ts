import { describe, expect, it } from "vitest";
import { runInWorkers } from "../../../src/simulator/comparing/worker-pool.ts";

async function doubled(tasks: readonly number[], workers: number, stopAfter = Number.POSITIVE_INFINITY) {
  const results = new Map<number, number>();
  const stop = new AbortController();
  await runInWorkers<undefined, number, number>({
    script: new URL("./doubling-worker.ts", import.meta.url),
    data: undefined,
    tasks,
    workers,
    signal: stop.signal,
    onResult(task, result) {
      results.set(task, result);
      if (results.size === stopAfter) stop.abort();
    },
  });
  return results;
}

describe("the worker pool", () => {
  it.each([1, 2, 5])("does every task once, with %i threads", async (workers) => {
    expect([...(await doubled([1, 2, 3, 4], workers))].sort()).toEqual([
      [1, 2],
      [2, 4],
      [3, 6],
      [4, 8],
    ]);
  });

  it("has nothing to do without tasks", async () => {
    expect(await doubled([], 2)).toEqual(new Map());
  });

  it("keeps what is done when it is stopped", async () => {
    expect((await doubled([1, 2, 3, 4], 1, 2)).size).toBe(2);
  });

  it("rejects with what a thread threw", async () => {
    await expect(doubled([1, 13, 2], 2)).rejects.toThrow("thirteen");
  });

  it("rejects when a thread ends by itself", async () => {
    await expect(doubled([99], 1)).rejects.toThrow("ended by itself, with code 7");
  });
});
