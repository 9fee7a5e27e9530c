import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimulatedRuntime } from "../../src/sandbox/agent/simulated-runtime.ts";
import { deleteObject } from "../../src/sandbox/api-server/deletion.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { SimulatedCluster } from "../../src/sandbox/nodes/cluster.ts";
import type { Container, SimulatedNode } from "../../src/sandbox/nodes/node.ts";
import { ManualClock } from "./manual-clock.ts";

let clock: ManualClock;
let server: SandboxApiServer;
let cluster: SimulatedCluster;
let node: SimulatedNode;
let source: Container;

beforeEach(async () => {
  clock = new ManualClock();
  server = await SandboxApiServer.start({ now: clock.now });
  cluster = new SimulatedCluster({ server, clock, nodes: [{ name: "n1", capacityBytes: 2 ** 32 }] });
  server.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "w" },
    spec: { containers: [{ name: "c", image: "w" }] },
  });
  await clock.pass(1_000);
  node = cluster.node("n1");
  const [only] = node.containers.values();
  if (!only) throw new Error("the pod does not run");
  source = only;
});

afterEach(async () => {
  cluster.stop();
  await server.close();
});

describe("a simulated agent that is told to kill a frozen source", () => {
  /** The command's outcome, as far as it is known. */
  function killed(): { outcome: string } {
    const killed = new AbortController().signal;
    const runtime = new SimulatedRuntime({ node, bandwidth: 1e9, stagingBudgetBytes: 1e9, killed });
    const so = { outcome: "waits" };
    const containers = { podUID: source.pod.metadata.uid, containerID: source.id, containerName: "c" };
    runtime.kill({ moveUID: "m", epoch: 1, source: containers }, killed).then(
      () => Object.assign(so, { outcome: "done" }),
      (error: { reason: string; retryable: boolean }) =>
        Object.assign(so, { outcome: error.retryable ? `${error.reason}, to be repeated` : error.reason }),
    );
    return so;
  }

  it("leaves init to the kubelet, as long as that has not seen the deletion", async () => {
    source.process.freeze();
    const command = killed();
    await clock.pass(4_000);
    expect([command.outcome, source.process.state]).toEqual(["waits", "frozen"]);
    await clock.pass(2_000);
    expect([command.outcome, source.process.state]).toEqual(["WrongState, to be repeated", "frozen"]);
  });

  it("is done once the kubelet has ended it", async () => {
    source.process.freeze();
    const command = killed();
    const type = server.types.find("", "v1", "pods");
    if (type) deleteObject(server.registry, { type, namespace: "default", name: "w" }, { gracePeriodSeconds: 1 });
    await clock.pass(3_000);
    expect([command.outcome, source.process.state]).toEqual(["done", "dead"]);
  });
});
