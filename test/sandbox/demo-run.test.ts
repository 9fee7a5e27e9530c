/** The demo's second half, until its first move has ended: policy, metrics, decision and move of the real controller. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { systemClock } from "../../src/kube/clock.ts";
import { stringAt } from "../../src/sandbox/api-server/json.ts";
import { prepare, runPhase } from "../../src/sandbox/demo/phase.ts";
import type { Screen } from "../../src/sandbox/demo/screen.ts";
import { THRESHOLD_SCENE } from "../../src/sandbox/demo/workload.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";

const SILENT: Screen = { show: () => {}, keep: () => {} };

let sandbox: Sandbox | undefined;

afterEach(async () => {
  await sandbox?.close();
  if (sandbox) rmSync(sandbox.directory, { recursive: true });
}, 30_000);

// In real time: on a machine that is busy with something else the move may come too late once.
it("moves a pod off the node that fills up before the kernel kills one", { retry: 1, timeout: 60_000 }, async () => {
  const ended = new AbortController();
  const options = { clock: systemClock, signal: ended.signal, scene: THRESHOLD_SCENE };
  const directory = mkdtempSync(join(tmpdir(), "headroom-demo-run-"));
  const prepared = await prepare({ ...options, headroom: true, directory });
  sandbox = prepared;
  prepared.server.store.subscribe(({ store, object }) => {
    if (store === "podmigrations.headroom.dev" && stringAt(object, "status", "completionTime")) ended.abort();
  });
  const outcome = await runPhase(prepared, { ...options, title: "", screen: SILENT });
  expect(outcome).toMatchObject({ losses: [], violations: [] });
  expect(outcome.freezes).toMatchObject([{ fromNode: "node-a", toNode: "node-b" }]);
  const [move] = prepared.server.store.list("podmigrations.headroom.dev");
  expect(stringAt(move, "status", "phase")).toBe("Succeeded");
  expect(stringAt(move, "status", "cause", "message")).toContain("node-a");
});
