import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileMoveRecords } from "../../src/agent/move-records.ts";
import { StepRunner } from "../../src/agent/step-runner.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

let directory: string;
const damaged: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "records-"));
  damaged.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = () => new FileMoveRecords(directory, (file) => damaged.push(file));
const step = (name: "dump" | "resume" | "cleanup", epoch: number) =>
  new StepRunner(open()).execute({
    moveUID: MOVE,
    epoch,
    role: "source",
    step: name,
    podUID: "p",
    run: () => Promise.resolve({}),
  });

describe("an agent that comes back", () => {
  test("still refuses a former leader, though every move is cleaned up", async () => {
    for (const name of ["dump", "resume", "cleanup"] as const) await step(name, 7);
    expect(open().list()).toEqual([]);
    await expect(step("dump", 6)).rejects.toMatchObject({ reason: "StaleEpoch" });
    await expect(step("dump", 7)).resolves.toEqual({});
  });

  test("knows its moves as they were", async () => {
    await step("dump", 7);
    expect(open().get(MOVE, "source")).toMatchObject({ state: "dumped", epoch: 7 });
  });

  test("believes a leader of a Lease that was made anew, once no former leader can speak any more", async () => {
    for (const name of ["dump", "resume", "cleanup"] as const) await step(name, 7);
    const longAgo = new Date(Date.now() - 16 * 60_000);
    utimesSync(join(directory, "epoch"), longAgo, longAgo);
    await expect(step("dump", 0)).resolves.toEqual({});
  });

  test("names a damaged epoch, and goes by its moves then", async () => {
    await step("dump", 7);
    writeFileSync(join(directory, "epoch"), "\0");
    expect(open().highestEpoch()).toBe(7);
    expect(damaged).toEqual([join(directory, "epoch")]);
  });
});
