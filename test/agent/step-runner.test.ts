import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MemoryMoveRecords } from "../../src/agent/move-records.ts";
import { type StepRequest, StepRunner } from "../../src/agent/step-runner.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

let records: MemoryMoveRecords;
let runner: StepRunner;

beforeEach(() => {
  vi.useFakeTimers();
  records = new MemoryMoveRecords();
  runner = new StepRunner(records);
});
afterEach(() => {
  vi.useRealTimers();
});

function step(name: "dump" | "resume", run: StepRequest["run"], epoch = 1): Promise<unknown> {
  return runner.execute({ moveUID: MOVE, epoch, role: "source", step: name, podUID: "p", run });
}

test("a source is resumed although its dump hangs, and what the dump answers at last is forgotten", async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const dump = step("dump", () => promise);
  const resume = step("resume", () => Promise.resolve());
  await vi.advanceTimersByTimeAsync(3_000);
  await resume;
  resolve({ frozenAtMs: 1 });
  await dump;
  expect(records.get(MOVE, "source")).toMatchObject({ state: "resumed", results: { resume: {} } });
  expect(records.get(MOVE, "source")?.results).not.toHaveProperty("dump");
});

test("a dump that gives way at once is not waited for any longer", async () => {
  const given = new Error("given up");
  const dump = step(
    "dump",
    (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(given))),
  );
  const failed = expect(dump).rejects.toBe(given);
  const startedAt = Date.now();
  await step("resume", () => Promise.resolve());
  await failed;
  expect(Date.now()).toBe(startedAt);
});
