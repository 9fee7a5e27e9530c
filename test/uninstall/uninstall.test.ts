import { readFileSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { POD_MIGRATIONS } from "../../src/api/v1alpha1/pod-migration.ts";
import { HttpKubeClient } from "../../src/kube/http-client.ts";
import { DAEMON_SETS, DEPLOYMENTS, NODES, PODS, RUNTIME_CLASSES, SECRETS } from "../../src/kube/resources.ts";
import type { JsonObject } from "../../src/sandbox/api-server/json.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { uninstall } from "../../src/uninstall/uninstall.ts";

const NAMESPACE = "headroom-system";
const FINALIZER = "headroom.dev/finalizer";

let sandbox: SandboxApiServer;
let client: HttpKubeClient;
/** What controllers and kubelets do between two looks at the cluster. */
let world: () => Promise<void>;
let cleaned: Record<string, string[]>;
let lines: string[];

const labels = (component: string) => ({
  "app.kubernetes.io/name": "headroom",
  "app.kubernetes.io/component": component,
});
const container = (args: string[]) => ({ name: "c", image: "headroom:1", args });

function pod(namespace: string, name: string, node: string, more: JsonObject = {}, component = "none"): JsonObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: labels(component) },
    spec: { nodeName: node, containers: [container([])], ...more },
    status: { phase: "Running" },
  };
}

function node(name: string, ready = true): JsonObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/os": "linux" } },
    spec: {
      taints: [
        { key: "headroom.dev/filling-up", value: "batch", effect: "NoSchedule" },
        { key: "mine", effect: "NoSchedule" },
      ],
    },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

function move(phase: string): JsonObject {
  return {
    apiVersion: "headroom.dev/v1alpha1",
    kind: "PodMigration",
    metadata: { namespace: "default", name: `move-${phase.toLowerCase()}`, finalizers: [FINALIZER] },
    spec: { podName: "a" },
    status: { phase },
  };
}

function installed(): JsonObject[] {
  const selector = { matchLabels: labels("agent") };
  const template = {
    metadata: { labels: labels("agent") },
    spec: {
      hostPID: true,
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ operator: "Exists" }],
      containers: [
        {
          ...container(["node", "headroom.js", "agent"]),
          command: ["/bin/sh", "keep-running.sh"],
          env: [{ name: "TOKEN_FILE", value: "/token" }],
          ports: [{ name: "agent", containerPort: 9808 }],
          readinessProbe: { tcpSocket: { port: "agent" } },
          securityContext: { privileged: true },
          volumeMounts: [
            { name: "tmp", mountPath: "/tmp" },
            { name: "ca", mountPath: "/ca" },
          ],
        },
      ],
      volumes: [
        { name: "tmp", emptyDir: {} },
        { name: "ca", configMap: { name: "headroom-ca" } },
      ],
    },
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name: "headroom" }, handler: "headroom" },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "headroom-ca", namespace: NAMESPACE } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "headroom-controller", namespace: NAMESPACE },
      spec: { replicas: 2, selector: { matchLabels: labels("controller") }, template: { ...template } },
    },
    {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "headroom-agent", namespace: NAMESPACE },
      spec: { selector, template },
    },
    node("n1"),
    node("n2"),
    pod(NAMESPACE, "controller", "n1", {}, "controller"),
    pod(NAMESPACE, "agent-1", "n1", {}, "agent"),
    pod(NAMESPACE, "agent-2", "n2", {}, "agent"),
  ];
}

/** Creates or replaces the object and, as only a controller or kubelet can, its status. */
function place(object: JsonObject): void {
  sandbox.apply(object);
  if (!object.status) return;
  const type = sandbox.types.ofKind(String(object.apiVersion), String(object.kind));
  const { name, namespace } = object.metadata as { name: string; namespace?: string }; // as written above
  if (!type) throw new Error(`no kind ${object.kind}`);
  sandbox.registry.patch({ type, namespace, name }, (present) => ({ ...present, status: object.status ?? null }), {
    subresource: "status",
  });
}

async function deletePods(component: string): Promise<void> {
  const labelSelector = `app.kubernetes.io/component=${component}`;
  for (const { metadata } of (await client.list(PODS, { labelSelector })).items) {
    await client.delete(PODS, metadata, { gracePeriodSeconds: 0 });
  }
}

async function stockControllers(): Promise<void> {
  const deployment = await client.get(DEPLOYMENTS, { namespace: NAMESPACE, name: "headroom-controller" });
  if (deployment?.spec?.replicas === 0) await deletePods("controller");
  if (!(await client.get(DAEMON_SETS, { namespace: NAMESPACE, name: "headroom-agent" }))) await deletePods("agent");
}

async function kubelets(): Promise<void> {
  const labelSelector = "app.kubernetes.io/component=node-clean-up";
  for (const found of (await client.list(PODS, { labelSelector })).items) {
    const { command = [], args = [] } = found.spec.containers[0] ?? {};
    cleaned[found.spec.nodeName ?? ""] = [...command, ...args];
    await client.patch(PODS, found.metadata, { status: { phase: "Succeeded" } }, { subresource: "status" });
  }
}

const run = () =>
  uninstall({
    client,
    namespace: NAMESPACE,
    limitSeconds: 30,
    say: (line) => lines.push(line),
    clock: manualClock(),
  });

/** Every wait is over at once, after the world has had its turn. */
function manualClock() {
  let now = 0;
  return {
    now: () => now,
    monotonicMs: () => now,
    after(milliseconds: number, callback: () => void) {
      now += milliseconds;
      void world().then(callback, callback);
      return { cancel() {} };
    },
  };
}

beforeEach(async () => {
  sandbox = await SandboxApiServer.start();
  const config = new KubeConfig();
  config.loadFromString(sandbox.kubeconfig());
  client = HttpKubeClient.of(config);
  cleaned = {};
  lines = [];
  world = async () => {
    await stockControllers();
    await kubelets();
  };
  for (const plural of ["migrationpolicies", "podmigrations"]) {
    const file = new URL(`../../crds/headroom.dev_${plural}.yaml`, import.meta.url);
    sandbox.apply(load(readFileSync(file, "utf8")) as JsonObject); // generated: an object
  }
  for (const object of installed()) place(object);
});
afterEach(() => sandbox.close());

describe("uninstalling when no moved pod is alive", () => {
  it("cleans every node with the agent's own image and rights, past every taint", async () => {
    await run();
    expect(cleaned).toEqual({ n1: ["agent", "uninstall"], n2: ["agent", "uninstall"] });
    expect(lines).toContain("node n1: cleaned");
  });

  it("removes its taint from every node and leaves the others", async () => {
    await run();
    const taints = (await client.list(NODES)).items.map(({ spec }) => spec?.taints?.map(({ key }) => key));
    expect(taints).toEqual([["mine"], ["mine"]]);
  });

  it("removes RuntimeClass, agents, CA, and its own clean-up pods", async () => {
    await run();
    expect((await client.list(RUNTIME_CLASSES)).items).toEqual([]);
    expect((await client.list(DAEMON_SETS)).items).toEqual([]);
    expect((await client.list(PODS, { namespace: NAMESPACE })).items).toEqual([]);
    expect((await client.list(SECRETS)).items).toEqual([]);
  });

  it("keeps the record of moves, and lets it be deleted later", async () => {
    place(move("Succeeded"));
    await run();
    const kept = (await client.list(POD_MIGRATIONS)).items;
    expect(kept.map(({ metadata }) => [metadata.name, metadata.finalizers ?? []])).toEqual([["move-succeeded", []]]);
  });

  it.each(["Succeeded", "Failed"])("does not count a moved pod that has %s", async (phase) => {
    place({ ...pod("default", "web", "n2", { runtimeClassName: "headroom" }), status: { phase } });
    await run();
    expect(cleaned.n2).toEqual(["agent", "uninstall"]);
  });

  it("names a node that is not Ready, and doesn't wait for it", async () => {
    place(node("n2", false));
    await run();
    expect(lines).toContain("node n2: NOT cleaned: it is not Ready");
    expect(Object.keys(cleaned)).toEqual(["n1"]);
  });

  it("says in the node's own words why it could not be cleaned", async () => {
    world = async () => {
      await stockControllers();
      const labelSelector = "app.kubernetes.io/component=node-clean-up";
      for (const { metadata } of (await client.list(PODS, { labelSelector })).items) {
        const state = { terminated: { exitCode: 1, message: "containerd does not restart\n" } };
        const status = { phase: "Failed", containerStatuses: [{ name: "c", state }] };
        await client.patch(PODS, metadata, { status }, { subresource: "status" });
      }
    };
    await run();
    expect(lines).toContain("node n1: NOT cleaned: containerd does not restart");
  });
});

describe("uninstalling while a moved pod is alive", () => {
  beforeEach(() => place(pod("default", "web", "n2", { runtimeClassName: "headroom" })));

  it("keeps the handler on its node alone, and names the pod", async () => {
    await run();
    expect(cleaned).toEqual({ n1: ["agent", "uninstall"], n2: ["agent", "uninstall", "--keep-handler"] });
    expect(lines).toContain("node n2: cleaned; runtime handler headroom kept, as a pass-through to runc");
  });

  it("keeps the RuntimeClass, and says so", async () => {
    await run();
    expect((await client.list(RUNTIME_CLASSES)).items).toHaveLength(1);
    expect(lines).toContain("RuntimeClass headroom kept: moved pods are alive: default/web on n2");
  });
});

describe("uninstalling while a move is under way", () => {
  beforeEach(() => place(move("Frozen")));

  it("cancels it and goes on when it has ended", async () => {
    world = async () => {
      const found = await client.get(POD_MIGRATIONS, { namespace: "default", name: "move-frozen" });
      if (found?.spec.cancel && found.status?.phase === "Frozen") {
        await client.patch(
          POD_MIGRATIONS,
          found.metadata,
          { status: { phase: "RolledBack" } },
          { subresource: "status" },
        );
      }
      await stockControllers();
      await kubelets();
    };
    await run();
    expect(Object.keys(cleaned)).toEqual(["n1", "n2"]);
  });

  it("refuses, names it and leaves everything running when it doesn't end", async () => {
    await expect(run()).rejects.toThrow("these moves have not ended: default/move-frozen (Frozen)");
    const deployment = await client.get(DEPLOYMENTS, { namespace: NAMESPACE, name: "headroom-controller" });
    expect(deployment?.spec?.replicas).toBe(2);
    expect((await client.list(PODS, { namespace: NAMESPACE })).items).toHaveLength(3);
  });
});

it("a move that a policy starts at the last moment gets its controller back", async () => {
  world = async () => {
    place(move("Pending"));
    await stockControllers();
  };
  await expect(run()).rejects.toThrow("a policy has just started default/move-pending");
  const deployment = await client.get(DEPLOYMENTS, { namespace: NAMESPACE, name: "headroom-controller" });
  expect(deployment?.spec?.replicas).toBe(2);
});
