import type { ResourceEvent } from "@dot-i/k8s-operator";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { POD_MIGRATIONS } from "../../src/api/v1alpha1/pod-migration.ts";
import { KubeError, type ObjectRef } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { type Controller, ownKey, type Term } from "../../src/kube/controller.ts";
import { OperatorMetrics } from "../../src/kube/metrics.ts";
import { HeadroomOperator } from "../../src/kube/operator.ts";
import { ResourceEventType } from "../../src/kube/operator-base.ts";
import { startProbeServer } from "../../src/kube/probe-server.ts";
import { NODES, PODS } from "../../src/kube/resources.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { installHeadroom } from "../../src/sandbox/installation.ts";
import { until } from "../support/until.ts";

const ELECTION = { durationMs: 6_000, renewWithinMs: 4_000, retryMs: 50 };

let server: SandboxApiServer;
let operators: HeadroomOperator[];

beforeEach(async () => {
  server = await SandboxApiServer.start();
  installHeadroom(server);
  operators = [];
});

afterEach(async () => {
  await Promise.all(operators.map((operator) => operator.stop()));
  await server.close();
});

function options(identity: string) {
  const config = new KubeConfig();
  config.loadFromString(server.kubeconfig());
  const namespace = "headroom-system";
  return {
    config,
    logger: silentLogger,
    clock: systemClock,
    namespace,
    identity,
    stopWithinMs: 300,
    election: ELECTION,
  };
}

function operatorOf(identity = "one"): HeadroomOperator {
  const operator = new HeadroomOperator(options(identity));
  operators.push(operator);
  return operator;
}

function putNode(name: string): void {
  server.apply({ apiVersion: "v1", kind: "Node", metadata: { name } });
}

/** Notes every reconcile; `act` decides how it goes. */
class Recording implements Controller {
  readonly name = "recording";
  readonly watches = [ownKey(NODES)];
  readonly calls: { key: string; term: Term }[] = [];
  longestMs: (key: ObjectRef) => number = () => 60_000;
  act: (key: ObjectRef, term: Term) => Promise<void> = async () => {};

  async reconcile(key: ObjectRef, term: Term): Promise<void> {
    this.calls.push({ key: key.name, term });
    await this.act(key, term);
  }
}

describe("the operator", () => {
  test("reconciles what there is when it begins to lead, and what changes afterwards", async () => {
    putNode("z1");
    const operator = operatorOf();
    const recording = new Recording();
    operator.register(recording);
    expect(operator.notReady).toContain("nodes");
    await operator.start();
    await until(() => recording.calls.some(({ key }) => key === "z1"), "the first reconcile");
    expect(operator.notReady).toBeUndefined();
    expect(operator.context.stores.nodes.get({ name: "z1" })?.metadata.name).toBe("z1");
    putNode("z2");
    await until(() => recording.calls.some(({ key }) => key === "z2"), "the second node");
  });

  test("tries a failed reconcile again, and survives it", async () => {
    putNode("z1");
    const operator = operatorOf();
    const recording = new Recording();
    recording.act = async () => {
      if (recording.calls.length === 1) throw new KubeError("Conflict", "changed meanwhile");
    };
    operator.register(recording);
    await operator.start();
    await until(() => recording.calls.length >= 2, "the second attempt");
  });

  test("reconciles on one replica only; the other takes over when it stops, in a later epoch", async () => {
    putNode("z1");
    const [one, two] = [operatorOf("one"), operatorOf("two")];
    const [first, second] = [new Recording(), new Recording()];
    one.register(first);
    two.register(second);
    await one.start();
    await until(() => first.calls.length > 0, "the first leader's work");
    await two.start();
    putNode("z2");
    await until(() => first.calls.some(({ key }) => key === "z2"), "the leader's second node");
    expect(second.calls).toHaveLength(0);
    await one.stop();
    await until(() => second.calls.length >= 2, "the successor's work");
    expect(second.calls[0]?.term.epoch).toBeGreaterThan(first.calls[0]?.term.epoch ?? 0);
  });

  test("stopping lets the reconcile under way end, starts no other, and gives the lease back", async () => {
    putNode("z1");
    const operator = operatorOf();
    const recording = new Recording();
    let ended = false;
    recording.act = async (_key, term) => {
      await new Promise((resolve) => term.signal.addEventListener("abort", resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      ended = true;
    };
    operator.register(recording);
    await operator.start();
    await until(() => recording.calls.length === 1, "the reconcile");
    const stopped = operator.stop();
    putNode("z2");
    await stopped;
    expect(ended).toBe(true);
    expect(recording.calls).toHaveLength(1);
    expect(operator.notReady).toBe("stopping");
    const lease = server.store.get("leases.coordination.k8s.io", "headroom-system", "headroom-controller");
    expect(lease?.spec).not.toHaveProperty("holderIdentity");
  });

  test("stopping does not wait for ever", async () => {
    putNode("z1");
    const operator = operatorOf();
    const recording = new Recording();
    recording.act = () => new Promise(() => {});
    operator.register(recording);
    await operator.start();
    await until(() => recording.calls.length === 1, "the reconcile");
    await operator.stop();
  });

  test("is healthy while reconciles end in their time, and says which one hangs", async () => {
    putNode("z1");
    const operator = operatorOf();
    const recording = new Recording();
    recording.act = () => new Promise(() => {});
    recording.longestMs = ({ name }) => (name === "z1" ? 300 : 0);
    operator.register(recording);
    const probes = await startProbeServer({
      port: 0,
      registry: new OperatorMetrics().registry,
      unhealthy: () => operator.unhealthy,
      notReady: () => operator.notReady,
    });
    const health = async () => (await fetch(`http://127.0.0.1:${probes.port}/healthz`)).text();
    await operator.start();
    await until(() => recording.calls.length === 1, "the reconcile");
    expect(await health()).toBe("ok\n");
    await until(() => operator.unhealthy !== undefined, "the hang is noticed");
    expect(await health()).toMatch(/controller recording hangs: its reconcile of z1/);
    server.intercept = () => ({ code: 503 });
    await until(() => operator.unhealthy === undefined, "what waits for an API server that is away is left alone");
    server.intercept = undefined;
    await until(() => operator.unhealthy !== undefined, "the hang is noticed again");
    await probes.close();
  });

  test("goes on when the API server was away", async () => {
    const operator = operatorOf();
    const recording = new Recording();
    operator.register(recording);
    await operator.start();
    await until(() => operator.notReady === undefined, "readiness");
    server.intercept = () => ({ code: 503 });
    await until(() => recording.calls.length === 0, "nothing to do");
    await new Promise((resolve) => setTimeout(resolve, 200));
    server.intercept = undefined;
    putNode("z1");
    await until(() => recording.calls.length > 0, "the node that came meanwhile");
  });
});

/** The members of the base class, as a user of it would call them. */
class Classic extends HeadroomOperator {
  readonly events: string[] = [];
  failures = 0;

  async follow(): Promise<void> {
    await this.watchResource("", "v1", "pods", (event) => this.#handle(event), "default");
  }

  async #handle(event: ResourceEvent): Promise<void> {
    if (event.type === ResourceEventType.Added && this.failures-- > 0) throw new Error("not yet");
    this.events.push(`${event.type} ${event.meta.name}`);
  }

  finalize(event: ResourceEvent, act: () => Promise<void>): Promise<boolean> {
    return this.handleResourceFinalizer(event, "example.org/test", act);
  }

  status(event: ResourceEvent, status: unknown): Promise<unknown> {
    return this.patchResourceStatus(event.meta, status);
  }

  missing(): Promise<void> {
    return this.watchResource("", "v1", "sprockets", async () => {});
  }
}

const pod = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }] },
});

describe("the members of the base class", () => {
  test("a handler that fails gets the same event again, and later ones after it", async () => {
    const operator = new Classic(options("classic"));
    operators.push(operator);
    operator.failures = 2;
    await operator.follow();
    server.apply(pod("a"));
    await operator.client.patch(
      PODS,
      { namespace: "default", name: "a" },
      { metadata: { labels: { changed: "yes" } } },
    );
    await until(() => operator.events.length === 2, "both events");
    expect(operator.events).toEqual(["ADDED a", "MODIFIED a"]);
    await operator.client.delete(PODS, { namespace: "default", name: "a" }, { gracePeriodSeconds: 0 });
    await until(() => operator.events.includes("DELETED a"), "the deletion");
  });

  test("a resource that isn't served is said to be so", async () => {
    const operator = new Classic(options("classic"));
    operators.push(operator);
    await expect(operator.missing()).rejects.toThrow("has no sprockets");
  });

  test("the finalizer is put on, the action runs on deletion, and an outdated write rejects", async () => {
    const operator = new Classic(options("classic"));
    operators.push(operator);
    const ref = { namespace: "default", name: "m" };
    server.apply({
      apiVersion: "headroom.dev/v1alpha1",
      kind: "PodMigration",
      metadata: ref,
      spec: { podName: "p" },
    });
    const stale = await eventOf(operator, ref);
    expect(await operator.finalize(stale, async () => {})).toBe(true);
    await expect(operator.finalize(stale, async () => {})).rejects.toMatchObject({ reason: "Conflict" });
    await expect(operator.status(stale, { phase: "Pending" })).rejects.toMatchObject({ reason: "Conflict" });
    await operator.status(await eventOf(operator, ref), { phase: "Preflight" });
    expect((await operator.client.get(POD_MIGRATIONS, ref))?.status?.phase).toBe("Preflight");
    await operator.client.delete(POD_MIGRATIONS, ref);
    let acted = 0;
    const act = async () => void acted++;
    expect(await operator.finalize(await eventOf(operator, ref), act)).toBe(true);
    expect(acted).toBe(1);
    expect(await operator.client.get(POD_MIGRATIONS, ref)).toBeUndefined();
  });
});

async function eventOf(operator: HeadroomOperator, ref: ObjectRef): Promise<ResourceEvent> {
  const object = await operator.client.get(POD_MIGRATIONS, ref);
  if (!object) throw new Error("the object is gone");
  const { metadata, apiVersion, kind } = object;
  const { deletionTimestamp, finalizers = [], uid = "", resourceVersion = "", namespace = "", name } = metadata;
  const deleted = deletionTimestamp ? { deletionTimestamp: new Date(deletionTimestamp) } : {};
  return {
    type: ResourceEventType.Modified,
    meta: { id: "podmigrations.headroom.dev/v1alpha1", name, namespace, resourceVersion, apiVersion, kind },
    object: { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion, finalizers, ...deleted } },
  };
}
