/** A copy before its turn: under its NetworkPolicies, in no Service, no owner's, and nothing but its source's copy. */
import { describe, expect, it } from "vitest";
import { KubeError } from "../../../src/kube/client.ts";
import { PODS, type Pod } from "../../../src/kube/resources.ts";
import { Lifetime } from "../../support/moving-world/mortal.ts";
import { FACTS, GIB } from "../../support/moving-world/simulated-nodes.ts";
import { type OwnerKind, World } from "../../support/moving-world/world.ts";

const OWNERS: OwnerKind[] = ["none", "ReplicaSet", "Job"];

const isTarget = ({ metadata }: { metadata: Pod["metadata"] }) =>
  metadata.labels?.["headroom.dev/move-uid"] !== undefined;

/** A mutating webhook that meets target pods. */
function mutating(world: World, mutate: (pod: Pod) => void, { dryRuns }: { dryRuns: boolean }): void {
  const create = world.kube.create.bind(world.kube);
  world.kube.create = async (kind, object, options) => {
    const pod = structuredClone(object);
    if (isTarget(pod) && (dryRuns || !options?.dryRun)) mutate(pod as unknown as Pod); // only pods have the label
    return create(kind, pod, options);
  };
}

/** What the target looked like at each change. */
function watchTarget(world: World): Pod[] {
  const seen: Pod[] = [];
  const react = world.kube.onChange;
  world.kube.onChange = () => {
    react();
    const { target } = world;
    if (target?.metadata.resourceVersion !== seen.at(-1)?.metadata.resourceVersion && target)
      seen.push(structuredClone(target));
  };
  return seen;
}

const addSidecar = (pod: Pod) => void pod.spec.containers.push({ name: "proxy", image: "proxy" });

describe("a copy's labels", () => {
  it.each(OWNERS)(
    "are all there from before the freeze on, but not before the copy is bound; owner: %s",
    async (owner) => {
      const world = await World.with(owner);
      const labels = { ...world.source?.metadata.labels };
      const seen = watchTarget(world);
      let atFreeze: Pod | undefined;
      world.kube.onStatus = (phase) => {
        if (phase === "Frozen") atFreeze = structuredClone(world.target);
      };
      await world.toTheEnd();
      expect(world.phase).toBe("Succeeded");
      expect(atFreeze?.metadata.labels).toMatchObject(labels);
      const unbound = seen.filter(({ spec }) => spec.nodeName === undefined);
      expect(unbound.length).toBeGreaterThan(0);
      for (const { metadata } of unbound) expect(Object.keys(metadata.labels ?? {})).not.toContain("app");
    },
  );

  it("are there before its release even if it is bound only at the end of a long dump", async () => {
    const world = await World.with();
    world.nodes.facts = { ...FACTS, memoryBytes: 30 * GIB };
    for (const node of ["z1", "z2"]) world.nodes.overrides.set(node, { stagingFreeBytes: 100 * GIB });
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
  });

  it("are its own node's where they name a zone", async () => {
    const zone = "topology.kubernetes.io/zone";
    const world = await World.with("none", ({ metadata }) => Object.assign(metadata.labels ?? {}, { [zone]: "a" }));
    await world.toTheEnd();
    expect(world.target?.metadata.labels).not.toHaveProperty([zone]);
  });

  it("that a webhook denies roll the move back before the freeze", async () => {
    const world = await World.with();
    const patch = world.kube.patch.bind(world.kube);
    world.kube.patch = async (kind, ref, body, options) => {
      if (JSON.stringify(body).includes('"app"')) throw new KubeError("Forbidden", "denied by policy");
      return patch(kind, ref, body, options);
    };
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TargetPodRefused" });
    expect(world.move?.status?.message).toContain("denied by policy");
    expect(world.move?.status?.phaseTransitions.map(({ phase }) => phase)).not.toContain("Frozen");
  });
});

describe("a copy", () => {
  it.each(OWNERS)(
    "belongs to its namespace until it is handed over, and to no other before; owner: %s",
    async (owner) => {
      const world = await World.with(owner);
      const kinds = watchTarget(world);
      await world.toTheEnd();
      const owners = kinds.map(({ metadata }) => metadata.ownerReferences?.map(({ kind }) => kind).join() ?? "");
      expect([...new Set(owners)]).toEqual(["Namespace", owner === "none" ? "" : owner]);
    },
  );

  it.each(OWNERS)("is not ready before it runs, and is afterwards; owner: %s", async (owner) => {
    const world = await World.with(owner);
    const seen = watchTarget(world);
    await world.toTheEnd();
    const readyOnes = seen.filter(({ status }) =>
      status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"),
    );
    expect(readyOnes.length).toBeGreaterThan(0);
    for (const { status } of readyOnes)
      expect(status?.conditions).toContainEqual(
        expect.objectContaining({ type: "headroom.dev/handed-over", status: "True" }),
      );
    expect(world.nodes.accidents).toEqual([]);
  });

  it.each(OWNERS)("lives on when its move is torn out of the API right after the release; owner: %s", async (owner) => {
    const world = await World.with(owner);
    const release = world.nodes.release.bind(world.nodes);
    world.nodes.release = async (...args) => {
      const answer = await release(...args);
      world.tearOut();
      return answer;
    };
    await world.toTheEnd();
    for (let minute = 0; minute < 3; minute++) {
      await world.sweep();
      await world.run(new Lifetime());
    }
    expect(world.copyOfTarget).toBe("running");
    expect(world.nodes.accidents).toEqual([]);
  });
});

describe("a target pod that admission changes", () => {
  it("is refused before anything is touched, with the path of the change", async () => {
    const world = await World.with();
    mutating(world, addSidecar, { dryRuns: true });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "TargetPodChanged" });
    expect(world.move?.status?.message).toContain("spec.containers[proxy]");
    expect(world.kube.all(PODS)).toHaveLength(1);
  });

  it("only when it is really created is removed before any kubelet sees it", async () => {
    const world = await World.with();
    mutating(world, addSidecar, { dryRuns: false });
    const seen = watchTarget(world);
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TargetPodChanged" });
    expect(seen.every(({ spec }) => spec.schedulingGates?.length === 1)).toBe(true);
    expect(world.kube.all(PODS)).toHaveLength(1);
    expect(world.nodes.accidents).toEqual([]);
  });
});
