import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KubeError } from "../../src/kube/client.ts";
import { WorkQueue } from "../../src/kube/work-queue.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

/** Handlers that end when the test says so. */
class Handlers {
  readonly started: string[] = [];
  readonly running = new Map<
    string,
    { resolve: (result?: { requeueAfterMs: number }) => void; reject: (e: unknown) => void }
  >();
  mostAtOnce = 0;
  overlapped = false;

  handle = (key: string): Promise<{ requeueAfterMs?: number } | undefined> => {
    this.started.push(key);
    if (this.running.has(key)) this.overlapped = true;
    return new Promise((resolve, reject) => {
      this.running.set(key, { resolve, reject });
      this.mostAtOnce = Math.max(this.mostAtOnce, this.running.size);
    });
  };

  async end(key: string, result?: { requeueAfterMs: number }): Promise<void> {
    const run = this.running.get(key);
    this.running.delete(key);
    run?.resolve(result);
    await settle();
  }

  async fail(key: string, error: unknown = new Error("no")): Promise<void> {
    const run = this.running.get(key);
    this.running.delete(key);
    run?.reject(error);
    await settle();
  }
}

function queueOf(concurrency = 2, random = () => 1) {
  const clock = new FakeClock();
  const handlers = new Handlers();
  const retries: number[] = [];
  const urgent = new Set<string>();
  const queue = new WorkQueue({
    handle: handlers.handle,
    clock,
    random,
    concurrency,
    isUrgent: (key) => urgent.has(key),
    backoff: { firstMs: 100, limitMs: 1_000 },
    onError: (_key, _error, _failures, retryMs) => retries.push(retryMs),
  });
  return { queue, clock, handlers, retries, urgent };
}

describe("a work queue", () => {
  test("handles a key once, however often it is added before it is due", async () => {
    const { queue, handlers } = queueOf(1);
    queue.add("other");
    for (let i = 0; i < 5; i++) queue.add("key");
    await handlers.end("other");
    await handlers.end("key");
    expect(handlers.started).toEqual(["other", "key"]);
  });

  test("handles a key again when it was added while it was being handled, and only then", async () => {
    const { queue, handlers } = queueOf();
    queue.add("key");
    queue.add("key");
    queue.add("key");
    expect(handlers.started).toEqual(["key"]);
    await handlers.end("key");
    expect(handlers.started).toEqual(["key", "key"]);
    await handlers.end("key");
    expect(handlers.started).toHaveLength(2);
  });

  test("handles several keys side by side, up to its concurrency", async () => {
    const { queue, handlers } = queueOf(2);
    for (const key of ["a", "b", "c"]) queue.add(key);
    expect(handlers.started).toEqual(["a", "b"]);
    await handlers.end("a");
    expect(handlers.started).toEqual(["a", "b", "c"]);
  });

  test("starts an urgent key although every worker is taken, and its end frees no worker that it never had", async () => {
    const { queue, handlers, urgent } = queueOf(2);
    for (const key of ["a", "b", "c"]) queue.add(key);
    urgent.add("u");
    queue.add("u");
    expect(handlers.started).toEqual(["a", "b", "u"]);
    await handlers.end("u");
    expect(handlers.started).toEqual(["a", "b", "u"]);
    await handlers.end("b");
    expect(handlers.started).toEqual(["a", "b", "u", "c"]);
  });

  test("starts a key that becomes urgent while it waits", async () => {
    const { queue, handlers, urgent } = queueOf(1);
    for (const key of ["a", "b", "c"]) queue.add(key);
    urgent.add("c");
    queue.add("c");
    expect(handlers.started).toEqual(["a", "c"]);
    expect(queue.depth).toBe(1);
  });

  test("gives the worker of a key that becomes urgent while it is handled to the next one", async () => {
    const { queue, handlers, urgent } = queueOf(1);
    for (const key of ["a", "b"]) queue.add(key);
    expect(handlers.started).toEqual(["a"]);
    urgent.add("a");
    queue.add("a");
    expect(handlers.started).toEqual(["a", "b"]);
  });

  test("handles a key that asks for it again only after those that wait", async () => {
    const { queue, handlers } = queueOf(1);
    queue.add("a");
    queue.add("b");
    queue.add("a");
    await handlers.end("a");
    expect(handlers.started).toEqual(["a", "b"]);
  });

  test("tells what is under way and for how long, whatever the wall clock does", async () => {
    const { queue, clock } = queueOf(1);
    queue.add("a");
    queue.add("b");
    clock.stepWall(-3_600_000);
    await clock.advance(2_000);
    expect(queue.underWay()).toEqual([{ key: "a", forMs: 2_000 }]);
  });

  test("waits longer after each failure, up to the limit, and starts over after a success", async () => {
    const { queue, clock, handlers, retries } = queueOf();
    queue.add("key");
    for (let i = 0; i < 6; i++) {
      await handlers.fail("key");
      await clock.advance(1_000);
    }
    expect(retries).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    await handlers.end("key");
    queue.add("key");
    await handlers.fail("key");
    expect(retries.at(-1)).toBe(100);
  });

  test("spreads retries by half", async () => {
    const { queue, handlers, retries } = queueOf(1, () => 0);
    queue.add("key");
    await handlers.fail("key");
    expect(retries).toEqual([50]);
  });

  test("waits as long as the API server asks", async () => {
    const { queue, clock, handlers } = queueOf();
    queue.add("key");
    await handlers.fail("key", new KubeError("TooManyRequests", "slow down", { retryAfterSeconds: 7 }));
    await clock.advance(6_999);
    expect(handlers.started).toHaveLength(1);
    await clock.advance(1);
    expect(handlers.started).toHaveLength(2);
  });

  test("handles a failed key soon when something about it changes", async () => {
    const { queue, clock, handlers } = queueOf();
    queue.add("key");
    for (let i = 0; i < 6; i++) {
      await handlers.fail("key");
      await clock.advance(1_000);
    }
    await handlers.fail("key");
    queue.add("key");
    await clock.advance(199);
    expect(handlers.started).toHaveLength(7);
    await clock.advance(1);
    expect(handlers.started).toHaveLength(8);
  });

  test("a handler that changes its own object and then fails does not run in a tight loop", async () => {
    const { queue, clock, handlers } = queueOf();
    queue.add("key");
    for (let ms = 0; ms < 10_000; ms += 100) {
      queue.add("key");
      await handlers.fail("key");
      queue.add("key");
      await clock.advance(100);
    }
    expect(handlers.started.length).toBeLessThanOrEqual(52);
  });

  test("forgets failures on demand", async () => {
    const { queue, clock, handlers, retries } = queueOf();
    queue.add("key");
    await handlers.fail("key");
    await clock.advance(100);
    queue.forget("key");
    await handlers.fail("key");
    expect(retries).toEqual([100, 100]);
  });

  test("comes back to a key after the time it asked for", async () => {
    const { queue, clock, handlers } = queueOf();
    queue.add("key");
    await handlers.end("key", { requeueAfterMs: 500 });
    await clock.advance(499);
    expect(handlers.started).toHaveLength(1);
    await clock.advance(1);
    expect(handlers.started).toHaveLength(2);
  });

  test("of several delays the shortest counts", async () => {
    const { queue, clock, handlers } = queueOf();
    queue.addAfter("key", 900);
    queue.addAfter("key", 300);
    queue.addAfter("key", 600);
    await clock.advance(300);
    expect(handlers.started).toHaveLength(1);
    await handlers.end("key");
    await clock.advance(10_000);
    expect(handlers.started).toHaveLength(1);
  });

  test("stops: what runs may end, nothing else starts, no timer is left", async () => {
    const { queue, clock, handlers } = queueOf(1);
    queue.add("runs");
    queue.add("waits");
    queue.addAfter("later", 100);
    let stopped = false;
    const done = queue.stop().then(() => {
      stopped = true;
    });
    await settle();
    expect(stopped).toBe(false);
    await handlers.fail("runs");
    await done;
    queue.add("new");
    await clock.advance(10_000);
    expect(handlers.started).toEqual(["runs"]);
    expect(clock.pending).toBe(0);
  });
});

type Step = { act: "add" | "end" | "fail" | "advance" | "addAfter"; key: string };

const steps = fc.array(
  fc.record<Step>({
    act: fc.constantFrom("add", "end", "fail", "advance", "addAfter"),
    key: fc.constantFrom("a", "b", "c", "d", "e"),
  }),
  { maxLength: 60 },
);

describe("whatever happens to a work queue", () => {
  test("no key is ever handled twice at once, the concurrency is kept, and nothing added is lost", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (script, concurrency) => {
        const { queue, clock, handlers } = queueOf(concurrency);
        for (const { act, key } of script) {
          if (act === "add") queue.add(key);
          if (act === "addAfter") queue.addAfter(key, 50);
          if (act === "end") await handlers.end(key);
          if (act === "fail") await handlers.fail(key);
          if (act === "advance") await clock.advance(40);
        }
        const before = handlers.started.length;
        for (const key of ["a", "b", "c"]) queue.add(key);
        for (let round = 0; round < 3; round++) {
          while (handlers.running.size > 0) for (const key of [...handlers.running.keys()]) await handlers.end(key);
          await clock.advance(1_000);
        }
        expect(handlers.started.slice(before)).toEqual(expect.arrayContaining(["a", "b", "c"]));
        expect(handlers.overlapped).toBe(false);
        expect(handlers.mostAtOnce).toBeLessThanOrEqual(concurrency);
        expect([queue.running, queue.depth]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
