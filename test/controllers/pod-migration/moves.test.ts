import { describe, expect, it } from "vitest";
import { JOB_TRACKING } from "../../../src/controllers/pod-migration/hand-over/belongings.ts";
import { KubeError } from "../../../src/kube/client.ts";
import { NODES, PODS, type Pod } from "../../../src/kube/resources.ts";
import { Interlude, Lifetime } from "../../support/moving-world/mortal.ts";
import { FACTS, GIB } from "../../support/moving-world/simulated-nodes.ts";
import { type OwnerKind, World } from "../../support/moving-world/world.ts";

/** Calls that a process has made, up to the first of `name`, this included. */
function upTo(trace: string[], name: string): string[] {
  return trace.slice(0, trace.indexOf(name) + 1);
}

/** Does something once, as soon as the move is in this phase. */
function once(world: World, phase: string, act: () => void): void {
  let done = false;
  world.kube.onStatus = (seen) => {
    if (done || seen !== phase) return;
    done = true;
    act();
  };
}

const SOURCE = { namespace: "default", name: "counter" };

function nameOf(pod: Pod | undefined) {
  return { namespace: "default", name: pod?.metadata.name ?? "?" };
}

/** The restore has long been answered when its phase is written: so it is asked anew whether the copy is held. */
function slowToWriteRestoring(world: World, meanwhile: () => void = () => {}): void {
  const write = world.kube.replaceStatus.bind(world.kube);
  world.kube.replaceStatus = async (kind, object) => {
    const answer = await write(kind, object);
    if (world.phase !== "Restoring") return answer;
    await new Promise((resolve) => setImmediate(resolve));
    meanwhile();
    world.clock.advance(1_000);
    return answer;
  };
}

/** The restore's phase is written late: so it is asked again whether the copy is held, and then something happens. */
function atTheEndOfTheRestore(world: World, happen: (world: World) => void): void {
  slowToWriteRestoring(world);
  let restores = 0;
  const restore = world.nodes.restore.bind(world.nodes);
  world.nodes.restore = async (...args) => {
    const answer = await restore(...args);
    if (++restores === 2) happen(world);
    return answer;
  };
}

/** What its kubelet reports of the source's container. */
function changeContainer(world: World, part: object): void {
  world.kube.change(PODS, SOURCE, (pod) => Object.assign(pod.status?.containerStatuses?.[0] ?? {}, part));
}

function expectSourceGoesOn(world: World): void {
  expect(world.nodes.accidents).toEqual([]);
  expect(world.copyOfSource).toBe("running");
}

describe("a move", () => {
  it.each<OwnerKind>(["none", "ReplicaSet", "Job"])("succeeds, owner: %s", async (owner) => {
    const world = await World.with(owner);
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
    expect(world.controllers.replacements).toEqual([]);
    expect(world.source).toBeUndefined();
    expect(world.target?.spec.nodeName).toBe("z2");
    expect(world.target?.metadata.labels).toMatchObject({ app: "counter", "headroom.dev/lineage": expect.any(String) });
    expect(world.target?.metadata.labels).not.toHaveProperty(["headroom.dev/move-uid"]);
    expect(world.target?.metadata.ownerReferences?.[0]?.kind).toBe(owner === "none" ? undefined : owner);
    expect(world.target?.metadata.finalizers ?? []).toEqual(owner === "Job" ? [JOB_TRACKING] : []);
  });

  it("tells in its status how it went", async () => {
    const world = await World.with();
    await world.toTheEnd();
    const status = world.move?.status;
    expect(status?.phaseTransitions.map(({ phase }) => phase)).toEqual([
      "Pending",
      "Preflight",
      "Preparing",
      "Frozen",
      "Restoring",
      "Committed",
      "Succeeded",
    ]);
    expect(status).toMatchObject({ sourceNode: "z1", targetNode: "z2", memory: "102.4Mi" });
    expect(status?.containers[0]).toMatchObject({ name: "counter", containerID: "abc", transferredBytes: 1e8 });
    expect(status?.freezeMilliseconds).toBeGreaterThanOrEqual(0);
    expect(status?.timings).toEqual({ dump: 400, restore: 200 });
    expect(status?.conditions.map(({ type, status: is }) => [type, is])).toEqual([
      ["Committed", "True"],
      ["Released", "True"],
      ["Succeeded", "True"],
      ["Complete", "True"],
    ]);
    expect(world.events.map((event) => event.split(":")[0])).toContain("Succeeded");
    expect(world.move?.metadata.finalizers).toEqual([]);
  });

  it("keeps a cause that its policy has written", async () => {
    const world = await World.with();
    const cause = { message: "z1 runs full", considered: [] };
    world.editMove((move) => Object.assign(move, { status: { cause } }));
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.move?.status?.cause).toEqual(cause);
  });

  it("makes only two writes between pause and release, and no wait", async () => {
    const world = await World.with();
    const life = new Lifetime();
    await world.toTheEnd(life);
    const frozen = life.trace.slice(life.trace.indexOf("dump"));
    const writes = upTo(frozen, "release").filter((call) =>
      ["replaceStatus", "patch", "create", "delete"].includes(call),
    );
    expect(writes).toEqual(["replaceStatus", "replaceStatus"]);
  });

  it("waits for a store that does not know its pod yet", async () => {
    const world = await World.with();
    const { placement } = world;
    let asked = 0;
    world.placement = async (request) =>
      ++asked < 3 ? { ok: false, reason: "PodNotFound", message: "there is no such running pod" } : placement(request);
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
  });

  it("registers the target before it can be scheduled", async () => {
    const world = await World.with();
    const life = new Lifetime();
    await world.toTheEnd(life);
    const ungated = life.trace.indexOf("patch", life.trace.indexOf("register"));
    expect(life.trace.indexOf("register")).toBeGreaterThan(life.trace.lastIndexOf("create"));
    expect(ungated).toBeGreaterThan(life.trace.indexOf("register"));
    expect(life.trace.slice(0, life.trace.indexOf("register")).filter((call) => call === "patch")).toHaveLength(1);
  });

  it("lets a big pod's target start only while its pages flow", async () => {
    const world = await World.with();
    world.nodes.facts = { ...FACTS, memoryBytes: 30 * GIB };
    for (const node of ["z1", "z2"]) world.nodes.overrides.set(node, { stagingFreeBytes: 100 * GIB });
    const life = new Lifetime();
    await world.toTheEnd(life);
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
    expect(upTo(life.trace, "dump").filter((call) => call === "patch")).toHaveLength(1);
  });
});

describe("before the commit, the source goes on when", () => {
  it("the target can't be scheduled", async () => {
    const world = await World.with();
    world.kubelets.options.unschedulable = true;
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TargetUnschedulable" });
    expectSourceGoesOn(world);
    expect(world.target).toBeUndefined();
  });

  it.each(["register", "receive", "dump", "restore"])("%s fails for good", async (step) => {
    const world = await World.with();
    world.nodes.failures.set(step, { reason: "Internal", retryable: false, times: 1 });
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expectSourceGoesOn(world);
    expect(world.target).toBeUndefined();
    expect(world.records).toEqual([]);
  });

  it("the move's time is up", async () => {
    const world = await World.with("none", () => {}, { timeout: "1m" });
    world.nodes.failures.set("receive", { reason: "NoRoom", retryable: true, times: 1_000 });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TimedOut" });
    expectSourceGoesOn(world);
  });

  it("a phase's time is up", async () => {
    const world = await World.with();
    world.nodes.failures.set("dump", { reason: "DumpFailed", retryable: true, times: 10_000 });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "FrozenTimedOut" });
    expectSourceGoesOn(world);
  });

  it("somebody deletes its pod while it is frozen", async () => {
    const world = await World.with();
    once(world, "Frozen", () => void world.kube.delete(PODS, { namespace: "default", name: "counter" }));
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expect(world.nodes.accidents.at(-1)).toBe("0 running copies at the end");
    expect(world.copyOfTarget).toBe("dead");
  });

  it("the held copy dies while the controller is slow to commit", async () => {
    const world = await World.with();
    slowToWriteRestoring(world, () => world.nodes.set(world.target?.metadata.uid ?? "", "dead"));
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "CopyDead" });
    expectSourceGoesOn(world);
  });

  it.each(["dump", "restore"] as const)("%s never answers", async (step) => {
    const world = await World.with();
    Object.assign(world.nodes, { [step]: () => new Promise(() => {}) });
    const end = world.toTheEnd();
    for (let second = 0; second < 120 && !world.ended; second++) {
      await new Promise((resolve) => setImmediate(resolve));
      world.clock.advance(1_000);
    }
    await end;
    expect(world.phase).toBe("RolledBack");
    expectSourceGoesOn(world);
  });

  it("its image is not to be had on the target, though that shows only while the source is frozen", async () => {
    const world = await World.with();
    world.nodes.dump = () => new Promise(() => {});
    once(world, "Frozen", () =>
      world.kube.change(PODS, nameOf(world.target), (pod) => {
        const state = { waiting: { reason: "ImagePullBackOff", message: "no such image" } };
        const container = { name: "counter", ready: false, restartCount: 0, image: "", imageID: "", state };
        pod.status = { ...pod.status, containerStatuses: [container] };
      }),
    );
    const end = world.toTheEnd();
    for (let second = 0; second < 10 && !world.ended; second++) {
      await new Promise((resolve) => setImmediate(resolve));
      world.clock.advance(1_000);
    }
    await end;
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TargetImage" });
    expectSourceGoesOn(world);
  });

  it.each([
    ["dump", "its target pod", "TargetPodGone", (world: World) => nameOf(world.target)],
    ["dump", "its pod", "PodTerminating", () => SOURCE],
    ["restore", "its target pod", "TargetPodGone", (world: World) => nameOf(world.target)],
  ] as const)("a %s hangs and somebody deletes %s", async (step, _, reason, which) => {
    const world = await World.with();
    Object.assign(world.nodes, { [step]: () => new Promise(() => {}) });
    once(world, step === "dump" ? "Frozen" : "Restoring", () => {
      void world.kube.delete(PODS, which(world), { gracePeriodSeconds: 30 });
    });
    const end = world.toTheEnd();
    for (let second = 0; second < 20 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason });
  });

  it("it is cancelled during a long dump", async () => {
    const world = await World.with();
    let given: AbortSignal | undefined;
    world.nodes.dump = (_node, { signal }) => {
      given = signal;
      return new Promise(() => {});
    };
    const end = world.toTheEnd();
    for (let second = 0; second < 20 && !world.ended; second++) {
      await new Promise((resolve) => setImmediate(resolve));
      world.clock.advance(1_000);
      if (second === 5) world.editMove(({ spec }) => Object.assign(spec, { cancel: true }));
    }
    await end;
    expect(world.phase).toBe("Cancelled");
    // Else the driver would send it again, and freeze the pod of a move that has ended.
    expect(given?.aborted).toBe(true);
    expectSourceGoesOn(world);
  });

  it("the target pod is drained, evicted or deleted while it is held", async () => {
    const world = await World.with();
    once(world, "Restoring", () => void world.kube.delete(PODS, nameOf(world.target), { gracePeriodSeconds: 30 }));
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TargetPodGone" });
    expectSourceGoesOn(world);
  });

  it("the target pod fails while it is held", async () => {
    const world = await World.with();
    once(world, "Restoring", () =>
      world.kube.change(PODS, nameOf(world.target), (pod) => Object.assign(pod.status ?? {}, { phase: "Failed" })),
    );
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TargetPodFailed" });
    expectSourceGoesOn(world);
  });

  it.each<[what: string, reason: string, happen: (world: World) => void]>([
    ["deleted", "PodTerminating", (world) => void world.kube.delete(PODS, SOURCE, { gracePeriodSeconds: 30 })],
    ["deleted by force", "PodGone", (world) => world.kube.tearOut(PODS, SOURCE)],
    ["thawed", "SourceThawed", (world) => world.nodes.set(world.source?.metadata.uid ?? "", "running")],
  ])("it is %s at the very end of the restore", async (_, reason, happen) => {
    const world = await World.with();
    atTheEndOfTheRestore(world, happen);
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason });
    expect(world.copyOfTarget).toBe("dead");
  });

  it("the copy dies after an answer that the controller, held up, reads only later", async () => {
    const world = await World.with();
    const restore = world.nodes.restore.bind(world.nodes);
    let read: () => void = () => {};
    const heldUp = new Promise<void>((resolve) => {
      read = resolve;
    });
    let targetUID = "";
    world.nodes.restore = async (...args) => {
      world.nodes.restore = restore;
      targetUID = args[2].podUID;
      const answer = await restore(...args);
      await heldUp;
      return answer;
    };
    slowToWriteRestoring(world, () => {
      world.nodes.set(targetUID, "dead");
      setImmediate(read);
    });
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expectSourceGoesOn(world);
  });

  it("a silent agent of the source does not keep the copy from its commit", async () => {
    const world = await World.with();
    const { moves } = world.nodes;
    once(world, "Restoring", () => {
      world.nodes.moves = (node) => (node === "z1" ? new Promise(() => {}) : moves.call(world.nodes, node));
    });
    const end = world.toTheEnd();
    for (let step = 0; step < 200 && !world.ended; step++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (world.phase === "Restoring" || world.phase === "Committed") world.clock.advance(250);
    }
    await end;
    expect(world.phase).toBe("Succeeded");
  });

  it("the target's node is cut off after the dump: nothing there runs without a release", async () => {
    const world = await World.with();
    once(world, "Restoring", () => world.nodes.cutOff("z2", true));
    world.nodes.failures.set("restore", { reason: "Unreachable", retryable: true, times: 10_000, after: true });
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expectSourceGoesOn(world);
    expect(world.move?.status?.message).toContain("z2");
    world.nodes.cutOff("z2", false);
    await world.sweep();
    expect(world.records).toEqual([]);
    expectSourceGoesOn(world);
    expect(world.copyOfTarget).toBe("dead");
  });

  it("a source that does not answer is resumed when it does", async () => {
    const world = await World.with();
    world.nodes.failures.set("restore", { reason: "RestoreFailed", retryable: false, times: 1 });
    once(world, "RollingBack", () => world.nodes.cutOff("z1", true));
    world.beforeRun = (run) => {
      if (run === 200) world.nodes.cutOff("z1", false);
    };
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expectSourceGoesOn(world);
  });
});

describe("a target pod that its kubelet has heard of, and whose deletion it hears late", () => {
  /** Cancelled after the gate's removal; the kubelet is cut off before it has begun to start the pod. */
  async function cancelled(): Promise<World> {
    const world = await World.with();
    world.kubelets.busy.add("z2");
    world.beforeRun = (run) => {
      if (run < 10) return;
      if (run === 10) world.kubelets.cutOff.add("z2");
      world.kubelets.busy.delete("z2");
      world.editMove(({ spec }) => Object.assign(spec, { cancel: true }));
    };
    await world.toTheEnd();
    return world;
  }

  it("is never started cold", async () => {
    const world = await cancelled();
    expect(world.phase).toBe("Cancelled");
    await world.sweep();
    world.kubelets.tick();
    expectSourceGoesOn(world);
  });

  it("is cleared up when its kubelet has heard of it", async () => {
    const world = await cancelled();
    world.kubelets.cutOff.delete("z2");
    world.kubelets.tick();
    await world.sweep();
    world.kubelets.tick();
    expectSourceGoesOn(world);
    expect(world.kube.all(PODS)).toHaveLength(1);
    expect(world.records).toEqual([]);
  });
});

describe("a source that cannot go on is saved by its copy when", () => {
  const ended = (world: World) => world.nodes.set(world.source?.metadata.uid ?? "", "dead");
  const evicted = (world: World) => {
    ended(world);
    world.kube.change(PODS, SOURCE, (pod) => Object.assign(pod.status ?? {}, { phase: "Failed", reason: "Evicted" }));
  };
  const drained = (world: World) => {
    world.kube.change(PODS, SOURCE, (pod) => {
      const target = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" };
      pod.status = { ...pod.status, conditions: [...(pod.status?.conditions ?? []), target] };
    });
    void world.kube.delete(PODS, SOURCE, { gracePeriodSeconds: 30 });
  };
  const restarted = (world: World) => {
    ended(world);
    changeContainer(world, { containerID: "containerd://another" });
  };
  const nodeLost = (world: World) => {
    world.nodes.cutOff("z1", true);
    world.kubelets.cutOff.add("z1");
    world.kube.change(NODES, { name: "z1" }, (node) => {
      node.status = { conditions: [{ type: "Ready", status: "Unknown" }] };
    });
    world.kube.tearOut(PODS, SOURCE);
  };

  it.each([
    ["it was evicted", evicted, "SourceLost"],
    ["it is being drained", drained, "SourceLost"],
    ["its container was killed and restarted", restarted, "SourceLost"],
    ["its node was lost", nodeLost, "SourceLost"],
  ])("%s at the very end of the restore", async (_, happen, reason) => {
    const world = await World.with();
    atTheEndOfTheRestore(world, happen);
    let committed: string | undefined;
    once(world, "Committed", () => {
      committed = world.move?.status?.reason;
      if (happen === nodeLost) world.kube.tearOut(NODES, { name: "z1" });
    });
    await world.toTheEnd();
    expect({ phase: world.phase, committed }).toEqual({ phase: "Succeeded", committed: reason });
    expect(world.copyOfTarget).toBe("running");
    expect(world.nodes.accidents).not.toContain("two running copies");
  });

  /** A ReplicaSet counts a pod that is being deleted for none: a cold one runs, and is ready, before the copy is. */
  it.each([
    ["the copy takes the place, the replacement goes", false],
    ["the copy dies before it is ready and goes, the replacement stays", true],
  ])("its ReplicaSet has replaced it: %s", async (_, dies) => {
    const world = await World.with("ReplicaSet");
    world.kubelets.options.readyDelayMs = 5_000;
    atTheEndOfTheRestore(world, drained);
    let target: string | undefined;
    once(world, "Committed", () => {
      target = world.target?.metadata.uid;
      for (const name of world.controllers.replacements)
        world.kube.change(PODS, { namespace: "default", name }, (pod) => {
          pod.spec.nodeName = "z3";
          pod.status = { ...pod.status, phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
        });
    });
    world.beforeRun = () => {
      if (!dies || world.phase !== "Committed" || world.copyOfTarget !== "running") return;
      const container = { name: "main", image: "i", imageID: "i", ready: false, restartCount: 1 };
      world.kube.change(PODS, nameOf(world.target), ({ status }) =>
        Object.assign(status ?? {}, { containerStatuses: [container] }),
      );
    };
    await world.toTheEnd();
    expect(world.controllers.replacements).toHaveLength(1);
    const owned = world.kube.all(PODS).filter(({ metadata }) => metadata.ownerReferences?.length);
    const left = owned.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    expect(left.map(({ metadata }) => metadata.uid === target)).toEqual([!dies]);
    expect(world.phase).toBe("Succeeded");
    expect(world.events.some((event) => event.startsWith("CopyRemoved:"))).toBe(dies);
  });

  /** Its kubelet is back before its agent is, and starts again what the API does not say is to go. */
  it.each([
    ["none", 0],
    ["none", 9_000],
    ["ReplicaSet", 0],
    ["Job", 0],
  ] as const)(
    "its node loses its power and is back at the release (owner: %s; %i ms after the commit)",
    async (owner, lateMs) => {
      const world = await World.with(owner);
      atTheEndOfTheRestore(world, () => {
        if (lateMs === 0) world.nodes.withoutAgent.add("z1");
      });
      once(world, "Committed", () => {
        world.clock.advance(lateMs);
        world.nodes.withoutAgent.add("z1");
        world.kubelets.busy.add("z1");
        ended(world);
      });
      const release = world.nodes.release.bind(world.nodes);
      world.nodes.release = async (...args) => {
        const answer = await release(...args);
        world.kubelets.busy.delete("z1");
        world.kubelets.tick();
        world.nodes.withoutAgent.delete("z1");
        return answer;
      };
      await world.toTheEnd();
      expect(world.nodes.accidents).not.toContain("two running copies");
      expect({ phase: world.phase, copy: world.copyOfTarget }).toEqual({ phase: "Succeeded", copy: "running" });
    },
  );

  it.each<OwnerKind>(["none", "ReplicaSet", "Job"])(
    "it was started cold while its agent was away: it ends first, and no other that its owner (%s) makes is there at the release",
    async (owner) => {
      const world = await World.with(owner);
      atTheEndOfTheRestore(world, () => {
        world.nodes.withoutAgent.add("z1");
        changeContainer(world, { containerID: "containerd://another" });
      });
      let committed: string | undefined;
      once(world, "Committed", () => {
        committed = world.move?.status?.reason;
        world.nodes.withoutAgent.delete("z1");
      });
      const release = world.nodes.release.bind(world.nodes);
      world.nodes.release = async (...args) => {
        expect(world.kube.all(PODS).map(({ metadata }) => metadata.name)).toEqual([world.target?.metadata.name]);
        return release(...args);
      };
      await world.toTheEnd();
      expect({ phase: world.phase, committed }).toEqual({ phase: "Succeeded", committed: "SourceRestarted" });
      expect(world.nodes.accidents).toEqual([]);
      expect(world.copyOfTarget).toBe("running");
      expect(world.kube.all(PODS)).toHaveLength(1);
    },
  );

  it("its pod was seen being evicted, and is gone from the API when its copy is held", async () => {
    const world = await World.with();
    const restore = world.nodes.restore.bind(world.nodes);
    let held = false;
    world.nodes.restore = async (...args) => {
      while (!held) await new Promise((resolve) => setImmediate(resolve));
      return restore(...args);
    };
    once(world, "Restoring", () => {
      world.kubelets.cutOff.add("z1");
      drained(world);
    });
    const end = world.toTheEnd();
    await world.pass(3);
    ended(world);
    world.kube.tearOut(PODS, SOURCE);
    held = true;
    for (let second = 0; second < 60 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.phase).toBe("Succeeded");
    expect(world.copyOfTarget).toBe("running");
  });

  it("it was evicted after the dump, though the move is cancelled then", async () => {
    const world = await World.with();
    atTheEndOfTheRestore(world, (now) => {
      evicted(now);
      now.editMove(({ spec }) => Object.assign(spec, { cancel: true }));
    });
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.copyOfTarget).toBe("running");
  });
});

describe("an API that has lost its latest writes, as after a restore of etcd", () => {
  it("does not make a roll-back delete a copy that was released", async () => {
    const world = await World.with();
    atTheEndOfTheRestore(world, () => world.editMove(({ spec }) => Object.assign(spec, { cancel: true })));
    once(world, "RollingBack", () => {
      world.nodes.markReleased("z2", world.target?.metadata.uid ?? "");
    });
    await world.toTheEnd();
    expect(world.phase).toBe("Cancelled");
    expect(world.target?.metadata.deletionTimestamp).toBeUndefined();
    expect(world.move?.status?.message).toMatch(/has been released/);
  });
});

describe("a copy that dies before its release", () => {
  const copyDies = (world: World) => world.nodes.set(world.target?.metadata.uid ?? "", "dead");
  const sourceEnds = (world: World) => {
    world.nodes.set(world.source?.metadata.uid ?? "", "dead");
    world.kube.change(PODS, SOURCE, (pod) => Object.assign(pod.status ?? {}, { phase: "Failed" }));
  };

  it.each(["none", "ReplicaSet", "Job"] as const)(
    "lets the source go on although it was committed; owner: %s",
    async (owner) => {
      const world = await World.with(owner);
      once(world, "Committed", () => copyDies(world));
      await world.toTheEnd();
      expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "CopyDead" });
      expect(world.move?.status?.phaseTransitions.map(({ phase }) => phase)).toContain("Committed");
      expectSourceGoesOn(world);
      expect(world.target).toBeUndefined();
      expect(world.records).toEqual([]);
      expect(world.controllers.replacements).toEqual([]);
    },
  );

  it.each(["Restoring", "Committed"])("is restored again when the source has ended, too (in %s)", async (phase) => {
    const world = await World.with();
    const both = () => {
      copyDies(world);
      sourceEnds(world);
    };
    if (phase === "Committed") once(world, phase, both);
    else atTheEndOfTheRestore(world, both);
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.copyOfTarget).toBe("running");
  });

  it("is given up when the source has ended and the target was restarted, and the move says what is lost", async () => {
    const world = await World.with();
    once(world, "Committed", () => {
      world.nodes.reboot("z2", world.target?.metadata.uid ?? "");
      sourceEnds(world);
    });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "ReleaseFailed" });
    expect(world.move?.status?.message).toMatch(/Lost: the memory/);
  });
});

describe("a source whose container may have been started cold", () => {
  it("has ended before its copy is released", async () => {
    const world = await World.with();
    const uid = () => world.source?.metadata.uid ?? "";
    let cold = "";
    atTheEndOfTheRestore(world, () => {
      cold = uid();
      world.nodes.withoutAgent.add("z1");
      changeContainer(world, { containerID: "containerd://another" });
    });
    const release = world.nodes.release.bind(world.nodes);
    let atRelease: unknown;
    world.nodes.release = (...args) => {
      atRelease ??= world.nodes.copy(cold);
      return release(...args);
    };
    once(world, "Committed", () => world.nodes.withoutAgent.delete("z1"));
    const end = world.toTheEnd();
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.phase).toBe("Succeeded");
    expect(atRelease).toBe("dead");
  });
});

describe("with the API server away", () => {
  /** Until then the pod is frozen; a liveness probe of 10 s × 3 fails after 21 s. */
  const LIMIT_SECONDS = 12;

  it.each(["refused", "silent"] as const)("a pod that is being dumped goes on soon (%s)", async (how) => {
    const world = await World.with();
    const dump = world.nodes.dump.bind(world.nodes);
    world.nodes.dump = async (...args) => {
      await dump(...args);
      return new Promise(() => {});
    };
    once(world, "Frozen", () => {
      world.apiAway = how;
    });
    const end = world.toTheEnd();
    await world.pass(LIMIT_SECONDS);
    expectSourceGoesOn(world);
    await world.pass(60);
    world.apiAway = undefined;
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "StoodDown" });
    expectSourceGoesOn(world);
    expect(world.records).toEqual([]);
  });

  it.each(["refused", "silent"] as const)("a pod whose copy is held goes on soon (%s)", async (how) => {
    const world = await World.with();
    atTheEndOfTheRestore(world, () => {
      world.apiAway = how;
    });
    const end = world.toTheEnd();
    await world.pass(LIMIT_SECONDS);
    expectSourceGoesOn(world);
    world.apiAway = undefined;
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "StoodDown" });
    expectSourceGoesOn(world);
  });

  it("a commit whose answer was lost is taken back: the copy was ruled out meanwhile", async () => {
    const world = await World.with();
    once(world, "Committed", () => {
      world.apiAway = "refused";
      throw new KubeError("Timeout", "the answer is lost");
    });
    const end = world.toTheEnd();
    await world.pass(LIMIT_SECONDS);
    expectSourceGoesOn(world);
    world.apiAway = undefined;
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "CopyDead" });
    expectSourceGoesOn(world);
  });

  it("a held copy is kept when the source has ended meanwhile, and is committed afterwards", async () => {
    const world = await World.with();
    atTheEndOfTheRestore(world, () => {
      world.apiAway = "refused";
      world.nodes.set(world.source?.metadata.uid ?? "", "dead");
    });
    const end = world.toTheEnd();
    await world.pass(30);
    expect(world.copyOfTarget).toBe("held");
    world.apiAway = undefined;
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.phase).toBe("Succeeded");
    expect(world.copyOfTarget).toBe("running");
  });

  it("a pod whose target's agent is away as well stays frozen: nothing else would be safe", async () => {
    const world = await World.with();
    atTheEndOfTheRestore(world, () => {
      world.apiAway = "refused";
      world.nodes.cutOff("z2", true);
    });
    const end = world.toTheEnd();
    await world.pass(30);
    expect([world.copyOfSource, world.copyOfTarget]).toEqual(["frozen", "held"]);
    world.nodes.cutOff("z2", false);
    await world.pass(5);
    expectSourceGoesOn(world);
    world.apiAway = undefined;
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.phase).toBe("RolledBack");
  });

  it("one that can be read but not written is as good as away", async () => {
    const world = await World.with();
    let full = false;
    const write = world.kube.replaceStatus.bind(world.kube);
    world.kube.replaceStatus = async (kind, object) => {
      if (full) throw new KubeError("Unknown", "etcdserver: mvcc: database space exceeded");
      return write(kind, object);
    };
    atTheEndOfTheRestore(world, () => {
      full = true;
    });
    let fullSinceMs: number | undefined;
    world.beforeRun = () => {
      if (!full) return;
      fullSinceMs ??= world.clock.now();
      if (world.copyOfSource !== "running") return;
      expect(world.clock.now() - fullSinceMs).toBeLessThan(LIMIT_SECONDS * 1000);
      full = false;
    };
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expectSourceGoesOn(world);
  });

  it("a committed copy is released without it", async () => {
    const world = await World.with();
    world.nodes.failures.set("release", { reason: "Unreachable", retryable: true, times: 1 });
    once(world, "Committed", () => {
      world.apiAway = "refused";
    });
    const end = world.toTheEnd();
    await world.pass(LIMIT_SECONDS);
    expect(world.copyOfTarget).toBe("running");
    world.apiAway = undefined;
    for (let second = 0; second < 30 && !world.ended; second++) await world.pass(1);
    await end;
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
  });

  it("nothing is frozen on a lease that was not renewed of late", async () => {
    const world = await World.with();
    world.leaseAgeMs = 5_000;
    let dumped = false;
    const dump = world.nodes.dump.bind(world.nodes);
    world.nodes.dump = (...args) => {
      dumped = true;
      return dump(...args);
    };
    for (let run = 0; run < 20; run++) await world.run(new Lifetime());
    expect([world.phase, dumped]).toEqual(["Frozen", false]);
    world.leaseAgeMs = 100;
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
  });
});

describe("after the commit the move goes through when", () => {
  it("the source's node is cut off right after the dump", async () => {
    const world = await World.with();
    once(world, "Restoring", () => {
      world.nodes.cutOff("z1", true);
      world.kubelets.cutOff.add("z1");
    });
    world.beforeRun = (run) => {
      if (run < 100) return;
      world.nodes.cutOff("z1", false);
      world.kubelets.cutOff.delete("z1");
    };
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
    expect(world.source).toBeUndefined();
  });

  it("the source's kubelet hears late of the deletion: its tasks are not ended before", async () => {
    const world = await World.with();
    once(world, "Committed", () => world.kubelets.cutOff.add("z1"));
    world.beforeRun = (run) => {
      if (run < 40) expect(world.copyOfSource === "running" || world.copyOfSource === "frozen").toBe(true);
      else world.kubelets.cutOff.delete("z1");
    };
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
  });

  it("the target's node is cut off before the release: nothing runs until it is back", async () => {
    const world = await World.with();
    once(world, "Committed", () => world.nodes.cutOff("z2", true));
    world.beforeRun = (run) => {
      if (run === 50) {
        expect(world.phase).toBe("Committed");
        expect(world.copyOfSource).toBe("frozen");
        world.nodes.cutOff("z2", false);
      }
    };
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
  });

  it("the source's node leaves the cluster", async () => {
    const world = await World.with();
    once(world, "Committed", () => {
      world.nodes.cutOff("z1", true);
      world.kubelets.cutOff.add("z1");
      void world.kube.delete(NODES, { name: "z1" });
    });
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.copyOfTarget).toBe("running");
  });

  it.each(["Internal", "WrongState", "NotFound"] as const)(
    "the target's agent answers the release with %s: only ReleaseFailed says that the copy is dead",
    async (reason) => {
      const world = await World.with();
      world.nodes.failures.set("release", { reason, retryable: false, times: 3 });
      await world.toTheEnd();
      expect(world.phase).toBe("Succeeded");
      expect(world.nodes.accidents).toEqual([]);
      expect(world.copyOfTarget).toBe("running");
    },
  );

  it("the target's agent has lost its record: the node shows what is to be released", async () => {
    const world = await World.with();
    once(world, "Committed", () => world.nodes.loseRecords("z2"));
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
  });

  it("the copy's memory does not all come: it is ended, and the move says so", async () => {
    const world = await World.with();
    world.nodes.memoryLost = "not all of the memory came, and the container was ended: criu lazy-pages ended with 137";
    await world.toTheEnd(new Interlude(0, () => {}));
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "MemoryLost" });
    expect(world.move?.status?.message).toMatch(/ended with 137; the pod starts anew on node z2/);
    expect(world.source).toBeUndefined();
  });

  it("the PodMigration is deleted: it stays until the end", async () => {
    const world = await World.with();
    once(world, "Committed", () => void world.deleteMove());
    await world.toTheEnd();
    expect(world.move).toBeUndefined();
    expect(world.copyOfTarget).toBe("running");
    expect(world.source).toBeUndefined();
  });
});

describe("after the commit nothing is waited for without an end:", () => {
  const condition = (world: World, type: string) =>
    world.move?.status?.conditions.filter((one) => one.type === type).map(({ status, reason }) => [status, reason]);

  /** Between two looks at the move a minute passes; `at` is done before a look. */
  function minutesPass(world: World, at: Record<number, () => void | Promise<void>> = {}): () => number {
    let minutes = 0;
    world.beforeRun = async () => {
      if (world.phase !== "Committed") return;
      world.clock.advance(60_000);
      await at[++minutes]?.();
    };
    return () => minutes;
  }

  it("an agent that refuses the release for good rules the copy out, and the source goes on", async () => {
    const world = await World.with();
    world.nodes.failures.set("release", { reason: "WrongState", retryable: false, times: 1_000 });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "CopyDead" });
    expect(world.copyOfTarget).toBe("dead");
    expectSourceGoesOn(world);
  });

  it("of a silent target it is said that nobody knows whether its copy runs, and the source stays frozen", async () => {
    const world = await World.with();
    once(world, "Committed", () => world.nodes.cutOff("z2", true));
    const minutes = minutesPass(world, {
      4: () => expect(condition(world, "Released")).toEqual([]),
      20: () => {
        expect(condition(world, "Released")).toEqual([["Unknown", "TargetSilent"]]);
        expect([world.phase, world.copyOfSource]).toEqual(["Committed", "frozen"]);
        world.nodes.cutOff("z2", false);
      },
    });
    await world.toTheEnd();
    expect(minutes()).toBeGreaterThanOrEqual(20);
    expect(world.phase).toBe("Succeeded");
    expect(condition(world, "Released")).toEqual([["True", "Released"]]);
    expect(world.events.filter((event) => event.startsWith("TargetSilent"))).toHaveLength(1);
    expect(world.nodes.accidents).toEqual([]);
  });

  it("a target that was deleted by force while its node is cut off is cleaned up when that is back", async () => {
    const world = await World.with();
    once(world, "Committed", () => {
      world.nodes.cutOff("z2", true);
      world.kubelets.cutOff.add("z2");
    });
    const name = () => nameOf(world.target);
    minutesPass(world, { 2: () => world.kube.tearOut(PODS, name()) });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "CopyDead" });
    expect(world.move?.status?.message).toMatch(/what is left on the target is removed when it answers.*z2/);
    expect(world.copyOfSource).toBe("running");
    expect(world.copyOfTarget).toBe("held");
    world.nodes.cutOff("z2", false);
    await world.sweep();
    expect(world.copyOfTarget).toBe("dead");
    expect(world.records).toEqual([]);
    expect(world.nodes.accidents).not.toContain("two running copies");
  });

  it("a silent source is ended by the sweep when it is back, and never runs again", async () => {
    const world = await World.with();
    once(world, "Committed", () => {
      world.nodes.cutOff("z1", true);
      world.kubelets.cutOff.add("z1");
    });
    const minutes = minutesPass(world);
    await world.toTheEnd();
    expect(minutes()).toBeGreaterThanOrEqual(15);
    expect(world.phase).toBe("Succeeded");
    expect(world.move?.status?.message).toMatch(/runs on node z2; what is left.*z1/);
    expect(world.copyOfSource).toBe("frozen");
    world.tearOut();
    world.nodes.cutOff("z1", false);
    world.kubelets.cutOff.delete("z1");
    world.kubelets.tick();
    for (let sweep = 0; sweep < 3; sweep++) await world.sweep();
    expect(world.copyOfSource).toBe("dead");
    expect(world.records).toEqual([]);
    expect(world.nodes.accidents).toEqual([]);
  });

  it("a Deployment's copy that never becomes ready is handed over as it is", async () => {
    const world = await World.with("ReplicaSet");
    world.kubelets.options.readyDelayMs = 1e9;
    const minutes = minutesPass(world);
    await world.toTheEnd();
    expect(minutes()).toBeGreaterThanOrEqual(15);
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
    expect(world.target?.metadata.ownerReferences?.[0]?.kind).toBe("ReplicaSet");
  });
});

describe("a Deployment's pod whose copy takes 10 s to be ready", () => {
  it("is handed over when the copy is ready, and is never replaced by a cold one", async () => {
    const world = await World.with("ReplicaSet");
    world.kubelets.options.readyDelayMs = 10_000;
    let heldBack = 0;
    world.beforeRun = () => {
      if (world.phase === "Committed" && world.source?.metadata.deletionTimestamp === undefined) heldBack++;
    };
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(heldBack).toBeGreaterThan(10);
    expect(world.controllers.replacements).toEqual([]);
    expect(world.nodes.accidents).toEqual([]);
  });
});

describe("a Deployment's source that dies frozen while its copy is not ready yet", () => {
  it("is let go at once, before its kubelet starts it cold", async () => {
    const world = await World.with("ReplicaSet");
    world.kubelets.options.readyDelayMs = 60_000;
    let killedAt = 0;
    world.beforeRun = (run) => {
      if (world.phase !== "Committed" || world.copyOfTarget !== "running" || killedAt > 0) return;
      killedAt = run;
      changeContainer(world, { state: { terminated: { exitCode: 137 } } });
    };
    let deletedAt = 0;
    const remove = world.kube.delete.bind(world.kube);
    let run = 0;
    const before = world.beforeRun;
    world.beforeRun = (at) => {
      run = at;
      return before(at);
    };
    world.kube.delete = async (kind, ref, options) => {
      if (ref.name === "counter") deletedAt ||= run;
      return remove(kind, ref, options);
    };
    await world.toTheEnd();
    expect(killedAt).toBeGreaterThan(0);
    expect(deletedAt).toBe(killedAt);
    expect(world.nodes.accidents).toEqual([]);
  });
});

describe("a PodMigration torn out of the API", () => {
  it.each(["Preparing", "Frozen", "Restoring"])("in %s is undone by the sweep", async (phase) => {
    const world = await World.with();
    let torn = false;
    world.kube.onStatus = (seen) => {
      if (seen !== phase || torn) return;
      torn = true;
      world.tearOut();
    };
    await world.toTheEnd(new Interlude(0, () => {}));
    await world.sweep();
    world.kubelets.tick();
    await world.sweep();
    expectSourceGoesOn(world);
    expect(world.records).toEqual([]);
    expect(world.kube.all(PODS)).toHaveLength(1);
  });

  it("after its copy was released stays moved, though the target's agent is just being replaced", async () => {
    const world = await tornOutAfterRelease();
    world.nodes.withoutAgent.add("z2");
    await sweeps(world);
    expect(world.nodes.accidents).toEqual([]);
    expect(world.kube.all(PODS)).toHaveLength(2);
    world.nodes.withoutAgent.delete("z2");
    await sweeps(world);
    expect(world.nodes.accidents).toEqual([]);
    expect(world.copyOfTarget).toBe("running");
    expect(world.source).toBeUndefined();
    expect(world.records).toEqual([]);
  });

  it("before its commit is undone at once when the agent of a third node is silent", async () => {
    const world = await World.with();
    once(world, "Restoring", () => world.tearOut());
    await world.toTheEnd();
    world.nodes.cutOff("z3", true);
    await world.sweep();
    expectSourceGoesOn(world);
  });

  it("takes no pod with it that only carries its label", async () => {
    const world = await World.with();
    once(world, "Preparing", () => world.tearOut());
    await world.toTheEnd();
    const labels = { "headroom.dev/move-uid": "00000000-0000-4000-8000-000000000099" };
    const spec = { containers: [{ name: "c", image: "i" }], runtimeClassName: "headroom" };
    const metadata = { namespace: "default", name: "copied-by-hand", labels };
    await world.kube.create(PODS, { apiVersion: "v1", kind: "Pod", metadata, spec });
    await sweeps(world);
    expect(world.kube.peek(PODS, metadata)).toBeDefined();
  });
});

async function sweeps(world: World): Promise<void> {
  for (let sweep = 0; sweep < 3; sweep++) {
    await world.sweep();
    world.kubelets.tick();
  }
}

async function tornOutAfterRelease(): Promise<World> {
  const world = await World.with();
  const release = world.nodes.release.bind(world.nodes);
  world.nodes.release = async (...args) => {
    const answer = await release(...args);
    world.tearOut();
    return answer;
  };
  await world.toTheEnd();
  return world;
}
