import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { API_VERSION } from "../../src/api/v1alpha1/group.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { arrayAt, stringAt } from "../../src/sandbox/api-server/json.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { Controllers } from "./death/controllers.ts";
import { VirtualClock } from "./death/virtual-clock.ts";

const GI = 2 ** 30;

it("a move whose program fails after the end is told of it, by the controller that watches the pod", async () => {
  const directory = mkdtempSync(join(tmpdir(), "headroom-program-"));
  const clock = new VirtualClock();
  const sandbox = await Sandbox.start({
    clock,
    nodes: ["n1", "n2"].map((name) => ({ name, capacityBytes: 4 * GI })),
    headroom: true,
    directory,
  });
  const controllers = new Controllers(sandbox, clock, silentLogger);
  try {
    const { server, cluster } = sandbox;
    await controllers.start();
    const spec = { nodeName: "n1", containers: [{ name: "main", image: "counter:1" }] };
    server.apply({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "default" }, spec });
    expect(
      await clock.until(
        () => stringAt(server.store.get("pods", "default", "p"), "status", "phase") === "Running",
        60_000,
      ),
    ).toBe(true);
    server.apply({
      apiVersion: API_VERSION,
      kind: "PodMigration",
      metadata: { name: "m", namespace: "default" },
      spec: { podName: "p", targetNode: "n2" },
    });
    const move = () => server.store.get("podmigrations.headroom.dev", "default", "m");
    expect(await clock.until(() => stringAt(move(), "status", "phase") === "Succeeded", 60_000)).toBe(true);
    for (const process of cluster.witness.running()) process.kill();
    expect(await clock.until(() => stringAt(move(), "status", "reason") === "ProgramFailed", 60_000)).toBe(true);
    const healthy = arrayAt(move(), "status", "conditions").find((one) => stringAt(one, "type") === "Healthy");
    expect(stringAt(healthy, "message")).toMatch(
      /^its program ended with exit code 137 \(SIGKILL\) \d s after its release$/,
    );
  } finally {
    controllers.stop();
    await sandbox.close();
    rmSync(directory, { recursive: true });
  }
});
