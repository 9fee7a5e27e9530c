/** Commands that show something until it ends, into a pipe whose reader has seen enough before. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/sandbox/api-server/json.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { installHeadroom } from "../../src/sandbox/installation.ts";

const PROGRAM = new URL("../../scripts/headroom.js", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "headroom-output-closed-"));
const temporary = mkdtempSync(join(tmpdir(), "headroom-output-closed-tmp-"));
const started: ChildProcess[] = [];
let server: SandboxApiServer;

const MOVE = {
  apiVersion: "headroom.dev/v1alpha1",
  kind: "PodMigration",
  metadata: { namespace: "default", name: "m" },
};
beforeAll(async () => {
  server = await SandboxApiServer.start();
  installHeadroom(server);
  writeFileSync(join(folder, "kubeconfig"), server.kubeconfig());
});
afterAll(async () => {
  // Those that have not ended, with all of their pipes.
  for (const { pid, exitCode } of started) if (pid !== undefined && exitCode === null) process.kill(-pid, "SIGKILL");
  await server.close();
});

/** A move that goes on and on; ends it. */
function moveOn(): () => void {
  server.apply({ ...MOVE, spec: { podName: "p" } });
  const type = server.types.ofKind(MOVE.apiVersion, MOVE.kind);
  if (type === undefined) throw new Error("PodMigrations are not installed");
  const phaseTransitions: JsonObject[] = [];
  const timer = setInterval(() => {
    phaseTransitions.push({ phase: "Preparing", time: new Date().toISOString() });
    const status = { phase: "Preparing", phaseTransitions: [...phaseTransitions] };
    server.registry.patch({ type, ...MOVE.metadata }, (move) => ({ ...move, status }), { subresource: "status" });
  }, 500);
  return () => clearInterval(timer);
}

/** What comes through, what is said beside it, and the exit code. */
function firstLineOf(command: string): Promise<{ out: string; err: string; code: number }> {
  const { PATH = "" } = process.env;
  const env = { PATH, HOME: folder, TMPDIR: temporary, KUBECONFIG: join(folder, "kubeconfig") };
  const script = `{ "${process.execPath}" "${PROGRAM}" ${command}; echo "code $?" >&2; } | head -n 1`;
  const child = spawn("sh", ["-c", script], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  started.push(child);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => {
    child.once("close", () => {
      const [said = "", code] = err.split("code ");
      resolve({ out, err: said, code: Number(code) });
    });
  });
}

describe("when the output is closed", { timeout: 40_000 }, () => {
  test.each([
    ["top --watch 1", /^NODE /],
    ["top --watch 1 --output json", /^\{/],
  ])("%s ends without a word, with 141", async (command, shown) => {
    expect(await firstLineOf(command)).toEqual({ out: expect.stringMatching(shown), err: "", code: 141 });
  });

  test("cancel --wait ends likewise, and the move goes on", async () => {
    const end = moveOn();
    const ended = await firstLineOf("cancel m --wait").finally(end);
    expect(ended).toEqual({ out: expect.stringContaining("is being cancelled"), err: "", code: 141 });
  });

  test("the demo ends as when it is interrupted, and leaves nothing behind", async () => {
    expect(await firstLineOf("demo")).toEqual({ out: expect.stringContaining("without Headroom"), err: "", code: 0 });
    expect(readdirSync(temporary)).toEqual([]);
  });
});
