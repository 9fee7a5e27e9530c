import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileMoveRecords } from "../../src/agent/move-records.ts";
import { StepRunner } from "../../src/agent/step-runner.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const OTHER_MOVE = "1b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

let directory: string;
const damaged: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "records-"));
  damaged.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = () => new FileMoveRecords(directory, (file) => damaged.push(file));
const ran: string[] = [];
const step = (name: "dump" | "resume" | "kill" | "cleanup", epoch: number, moveUID = MOVE) =>
  new StepRunner(open()).execute({
    moveUID,
    epoch,
    role: "source",
    step: name,
    podUID: "p",
    run: () => {
      ran.push(name);
      return Promise.resolve({ did: name });
    },
  });

describe("an agent that comes back", () => {
  test("still refuses a former leader, though every move is cleaned up", async () => {
    for (const name of ["dump", "resume", "cleanup"] as const) await step(name, 7);
    expect(open().list()).toEqual([]);
    await expect(step("dump", 6)).rejects.toMatchObject({ reason: "StaleEpoch" });
    await expect(step("dump", 7, OTHER_MOVE)).resolves.toEqual({ did: "dump" });
  });

  test("refuses to begin a move anew that was cleaned up, and repeats only how that ended", async () => {
    for (const name of ["dump", "resume", "cleanup"] as const) await step(name, 7);
    ran.length = 0;
    await expect(step("dump", 7)).rejects.toMatchObject({ reason: "WrongState" });
    await expect(step("dump", 8)).rejects.toMatchObject({ reason: "WrongState" });
    await expect(step("kill", 8)).rejects.toMatchObject({ reason: "WrongState" });
    for (const name of ["resume", "cleanup"] as const) await expect(step(name, 8)).resolves.toEqual({ did: name });
    expect(ran).toEqual([]);
    expect(open().list()).toEqual([]);
  });

  test("goes by what the node shows where it knew nothing of a move that was cleaned up, but does not begin it", async () => {
    await step("cleanup", 7);
    await expect(step("dump", 7)).rejects.toMatchObject({ reason: "WrongState" });
    await expect(step("resume", 7)).resolves.toEqual({ did: "resume" });
  });

  test("names a damaged list of ended moves, and starts another", async () => {
    await step("cleanup", 7);
    writeFileSync(join(directory, "finished"), "\0");
    open();
    expect(damaged).toEqual([join(directory, "finished")]);
  });

  test("knows its moves as they were", async () => {
    await step("dump", 7);
    expect(open().get(MOVE, "source")).toMatchObject({ state: "dumped", epoch: 7 });
  });

  test("believes a leader of a Lease that was made anew, once no former leader can speak any more", async () => {
    for (const name of ["dump", "resume", "cleanup"] as const) await step(name, 7);
    const longAgo = new Date(Date.now() - 16 * 60_000);
    utimesSync(join(directory, "epoch"), longAgo, longAgo);
    await expect(step("dump", 0, OTHER_MOVE)).resolves.toEqual({ did: "dump" });
  });

  test("names a damaged epoch, and goes by its moves then", async () => {
    await step("dump", 7);
    writeFileSync(join(directory, "epoch"), "\0");
    expect(open().highestEpoch()).toBe(7);
    expect(damaged).toEqual([join(directory, "epoch")]);
  });
});
