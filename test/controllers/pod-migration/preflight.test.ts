import { describe, expect, it } from "vitest";
import { emptyDirsOf } from "../../../src/controllers/pod-migration/preflight/pod-facts.ts";
import { livenessForgivesMs, swapDelayMs } from "../../../src/controllers/pod-migration/preflight/probes.ts";
import { KubeError } from "../../../src/kube/client.ts";
import { PODS, type Pod } from "../../../src/kube/resources.ts";
import { FACTS, FEATURES, GIB, type SimulatedNodes } from "../../support/moving-world/simulated-nodes.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";
import { MOVE, World } from "../../support/moving-world/world.ts";

const probe = (part: object) => ({ httpGet: { port: 80 }, ...part });

function withProbes(probes: object) {
  return (pod: Pod) => Object.assign(pod.spec.containers[0] ?? {}, probes);
}

/** Nothing but the PodMigration itself was touched. */
function expectUntouched(world: World): void {
  expect(world.copyOfSource).toBe("running");
  expect(world.kube.all(PODS)).toHaveLength(1);
  expect(world.records).toEqual([]);
}

const REFUSED: [what: string, reason: string, prepare: (world: World) => void, pod?: (pod: Pod) => void][] = [
  ["a pod that is not eligible", "HostNamespaces", () => {}, (pod) => Object.assign(pod.spec, { hostNetwork: true })],
  [
    "a pod that is gone",
    "PodNotFound",
    (world) => world.editMove(({ spec }) => Object.assign(spec, { podName: "no" })),
  ],
  [
    "established TCP connections",
    "EstablishedTcp",
    ({ nodes }) => Object.assign(nodes, { facts: { ...FACTS, establishedTcp: ["10.0.0.1:1 -> 10.0.0.2:2"] } }),
  ],
  [
    "what only the node sees",
    "OpenDevice",
    ({ nodes }) =>
      Object.assign(nodes, { facts: { ...FACTS, obstacles: [{ reason: "OpenDevice", message: "/dev/x" }] } }),
  ],
  [
    "a freeze that the liveness probe does not forgive",
    "LivenessProbe",
    ({ nodes }) => Object.assign(nodes, { facts: { ...FACTS, memoryBytes: 40 * GIB } }),
    withProbes({ livenessProbe: probe({}) }),
  ],
  [
    "a freeze that spec.timeout would cut off",
    "TimeoutTooShort",
    (world) => {
      world.editMove(({ spec }) => Object.assign(spec, { timeout: "1m" }));
      world.nodes.facts = { ...FACTS, memoryBytes: 70 * GIB };
    },
  ],
  ["other CPU features", "CpuFeatures", ({ nodes }) => void nodes.overrides.set("z2", { cpuFlags: ["sse2"] })],
  [
    "a target that failed its self-test with such containers",
    "SelfTestFailed",
    ({ nodes }) =>
      void nodes.overrides.set("z2", {
        verdicts: [{ kind: "root", ok: false, ms: 1, message: "it could not be restored" }],
      }),
  ],
  [
    "a source that failed its self-test with such containers",
    "SelfTestFailed",
    ({ nodes }) =>
      void nodes.overrides.set("z1", {
        verdicts: [{ kind: "root", ok: false, ms: 1, message: "it could not be dumped" }],
      }),
  ],
  [
    "an agent that would close the container's own connections",
    "AgentTooOld",
    ({ nodes }) => {
      nodes.facts = { ...FACTS, innerConnections: 1 };
      nodes.overrides.set("z2", { keepsConnections: false });
    },
  ],
  ["an older CRIU", "CriuVersion", ({ nodes }) => void nodes.overrides.set("z2", { criuVersion: "4.0" })],
  [
    "a pod under AppArmor, to a node that has none",
    "Confinement",
    ({ nodes }) => void Object.assign(nodes, { facts: { ...FACTS, confinedBy: "apparmor" } }),
  ],
  ["a pod under nothing, to a node with AppArmor", "Confinement", ({ nodes }) => void onApparmor(nodes)],
  [
    "a pod under SELinux whose level is containerd's choice",
    "SELinuxLevel",
    ({ nodes }) => void onSELinux(nodes),
    (pod) => Object.assign(pod.spec, { securityContext: { seLinuxOptions: { type: "container_t" } } }),
  ],
  ["another cgroup version", "CgroupVersion", ({ nodes }) => void nodes.overrides.set("z2", { cgroupVersion: 1 })],
  [
    "a handler that is not installed",
    "HandlerNotInstalled",
    ({ nodes }) => void nodes.overrides.set("z2", { handlerInstalled: false }),
  ],
  ["no room to stage", "NoStagingRoom", ({ nodes }) => void nodes.overrides.set("z2", { stagingFreeBytes: 1e8 })],
  [
    "no room on any node",
    "NodesFull",
    (world) => Object.assign(world, { placement: async () => ({ ok: false, reason: "NodesFull", message: "full" }) }),
  ],
];

const onApparmor = (nodes: SimulatedNodes) => nodes.overrides.set("z2", { lsm: "apparmor" });

function onSELinux(nodes: SimulatedNodes): void {
  nodes.facts = { ...FACTS, confinedBy: "selinux" };
  nodes.overrides.set("z2", { lsm: "selinux" });
}

const UNCONFINED = { appArmorProfile: { type: "Unconfined" } };
const ADMITTED: [what: string, prepare: (nodes: SimulatedNodes) => void, pod?: (pod: Pod) => void][] = [
  [
    "a pod under AppArmor, to a node with AppArmor",
    (nodes) => {
      nodes.facts = { ...FACTS, confinedBy: "apparmor" };
      onApparmor(nodes);
    },
  ],
  [
    "a pod that asks for no profile, to a node with AppArmor",
    onApparmor,
    (pod) => Object.assign(pod.spec, { securityContext: UNCONFINED }),
  ],
  [
    "a pod under SELinux with a level of its own",
    onSELinux,
    (pod) => Object.assign(pod.spec, { securityContext: { seLinuxOptions: { level: "s0:c1,c2" } } }),
  ],
  ["a newer kernel on the source", (nodes) => void nodes.overrides.set("z1", { kernel: "7.1.0" })],
  [
    "an agent that does not tell what confines its containers",
    (nodes) => void nodes.overrides.set("z2", { lsm: undefined }),
  ],
];

describe("preflight", () => {
  it.each(ADMITTED)("admits %s", async (_, prepare, pod) => {
    const world = await World.with("none", pod);
    prepare(world.nodes);
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Succeeded" });
  });

  it.each(REFUSED)("refuses %s: %s, and touches nothing", async (_, reason, prepare, pod) => {
    const world = await World.with("none", pod);
    prepare(world);
    await world.toTheEnd();
    expect(world.phase).toBe("Failed");
    expect(world.move?.status?.reason).toBe(reason);
    expect(world.move?.status?.message).not.toBe("");
    expectUntouched(world);
  });

  it("refuses what the API server would not admit, in its words", async () => {
    const world = await World.with();
    const create = world.kube.create.bind(world.kube);
    world.kube.create = async (kind, object, options) => {
      if (options?.dryRun) throw new KubeError("Forbidden", "exceeded quota");
      return create(kind, object, options);
    };
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "TargetPodRefused" });
    expect(world.move?.status?.message).toContain("exceeded quota");
    expectUntouched(world);
  });

  it("gives an agent a minute to answer", async () => {
    const world = await World.with();
    world.nodes.cutOff("z2", true);
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "PreflightTimedOut" });
    expect(world.move?.status?.message).toContain("agent on node z2");
    expectUntouched(world);
  });

  it.each(["z1", "z2"])(
    "refuses %s when no agent runs on it, after a look for one that is being replaced",
    async (node) => {
      const world = await World.with();
      world.nodes.withoutAgent.add(node);
      const startMs = world.clock.now();
      await world.toTheEnd();
      expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "NoAgent" });
      expect(world.move?.status?.message).toContain(`no agent runs on ${node}: see \`headroom nodes\``);
      expect(world.clock.now() - startMs).toBeLessThan(15_000);
      expectUntouched(world);
    },
  );

  it.each([
    ["the source's", "z1"],
    ["the target's", "z2"],
  ])("waits while %s node is being prepared, and then goes on", async (_whose, node) => {
    const world = await World.with();
    const features = world.nodes.features.bind(world.nodes);
    let looks = 0;
    world.nodes.features = async (asked) => {
      const found = await features(asked);
      return asked === node && looks++ < 3 ? { ...found, turn: { state: "preparing" } } : found;
    };
    await world.toTheEnd();
    expect(looks).toBeGreaterThan(3);
    expect(world.phase).toBe("Succeeded");
  });

  it("says which node is being prepared when that takes too long", async () => {
    const world = await World.with();
    world.nodes.overrides.set("z1", { turn: { state: "preparing" } });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "PreflightTimedOut" });
    expect(world.move?.status?.message).toContain("agent on node z1: the node is being prepared");
    expectUntouched(world);
  });

  it("lets established TCP connections be, with spec.tcp Close", async () => {
    const world = await World.with("none", () => {}, { tcp: "Close" });
    world.nodes.facts = { ...FACTS, establishedTcp: ["10.0.0.1:1 -> 10.0.0.2:2"] };
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
  });

  it("asks for the spec's target node, and only for that", async () => {
    const world = await World.with("none", () => {}, { targetNode: "z3" });
    await world.toTheEnd();
    expect(world.target?.spec.nodeName).toBe("z3");
  });

  it("of a dry run says where the pod could go, and touches nothing", async () => {
    const world = await World.with("none", () => {}, { dryRun: true, cancel: true });
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Cancelled", reason: "DryRun", targetNode: "z2" });
    expect(world.move?.status?.message).toMatch(/^to node z2, .* of memory: a freeze of about /);
    expectUntouched(world);
  });

  it("of a dry run says why the pod could not be moved", async () => {
    const world = await World.with("none", () => {}, { dryRun: true });
    world.nodes.facts = { ...FACTS, obstacles: [{ reason: "Socket", message: "it has one" }] };
    await world.toTheEnd();
    expect(world.move?.status).toMatchObject({ phase: "Failed", reason: "Socket", message: "it has one" });
  });

  it("lets a move go on beside a dry run of the same pod", async () => {
    const world = await World.with("none", () => {}, { dryRun: true });
    world.nodes.overrides.set("z1", { turn: { state: "preparing" } });
    await world.reconcile(MOVE);
    expect(world.phase).toBe("Preflight");
    const second = await world.anotherMove("second", { dryRun: false });
    await world.reconcile(second);
    await world.reconcile(second);
    expect(world.moveNamed("second")?.status?.phase).toBe("Preflight");
  });

  it("lets the earlier of two moves of a pod go on, whichever is looked at first", async () => {
    const world = await World.with();
    const rival = await world.anotherMove("second");
    await world.reconcile(rival);
    expect(world.moveNamed("second")?.status).toMatchObject({ phase: "Failed", reason: "AlreadyMoving" });
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
  });
});

describe("the emptyDirs that travel", () => {
  it("are those that the container mounts, not those of a completed init container", () => {
    const pod = sourcePod();
    pod.spec.volumes = [
      { name: "used", emptyDir: {} },
      { name: "secret", emptyDir: { medium: "Memory" } },
      { name: "init", emptyDir: {} },
      { name: "settings", configMap: { name: "settings" } },
    ];
    const volumeMounts = ["used", "secret", "settings"].map((name) => ({ name, mountPath: `/${name}` }));
    pod.spec.containers = pod.spec.containers.map((container) => ({ ...container, volumeMounts }));
    expect(emptyDirsOf(pod)).toEqual([
      { name: "used", memory: false },
      { name: "secret", memory: true },
    ]);
  });
});

describe("a target's staging room", () => {
  it("must hold the memory, its growth meanwhile and CRIU's own images", async () => {
    const world = await World.with();
    world.nodes.facts = { ...FACTS, memoryBytes: GIB };
    world.nodes.overrides.set("z2", { ...FEATURES, stagingFreeBytes: 1.05 * GIB });
    await world.toTheEnd();
    expect(world.move?.status?.reason).toBe("NoStagingRoom");
  });
});

describe("a liveness probe", () => {
  const pod = (livenessProbe: object) => {
    const made = sourcePod();
    withProbes({ livenessProbe })(made);
    return made;
  };

  it.each([
    ["of the defaults", {}, 21_000],
    ["that fails at once", { failureThreshold: 1, timeoutSeconds: 2 }, 2_000],
    ["that is asked often", { failureThreshold: 5, periodSeconds: 2, timeoutSeconds: 1 }, 9_000],
  ])("%s forgives a freeze of %o: %d ms", (_, part, forgiven) => {
    expect(livenessForgivesMs(pod(probe(part)))).toBe(forgiven);
  });

  it("that is not there forgives everything", () => {
    expect(livenessForgivesMs(sourcePod())).toBeUndefined();
  });
});

describe("handing over to a ReplicaSet takes until", () => {
  it.each([
    ["the copy is ready", { initialDelaySeconds: 10, periodSeconds: 2 }, 7_000],
    ["the source is not", { initialDelaySeconds: 100, periodSeconds: 1, failureThreshold: 1 }, 2_000],
    [
      "the copy is ready, with an exec probe",
      { httpGet: undefined, exec: {}, initialDelaySeconds: 10, periodSeconds: 2 },
      12_000,
    ],
  ])("%s", (_, part, delay) => {
    const pod = sourcePod();
    withProbes({ readinessProbe: probe(part) })(pod);
    expect(swapDelayMs(pod)).toBe(delay);
  });

  it("at once without a readiness probe", () => {
    expect(swapDelayMs(sourcePod())).toBe(0);
  });
});

describe("files", () => {
  it.each([
    ["in memory, and take staging room", 1.5 * GIB, "NoStagingRoom"],
    ["on a disk, and take none", 0, undefined],
  ])("that are %s", async (_what, memoryFilesBytes, reason) => {
    const world = await World.with();
    world.nodes.facts = { ...FACTS, filesBytes: 2 * GIB, memoryFilesBytes };
    world.nodes.overrides.set("z2", { ...FEATURES, stagingFreeBytes: 1.5 * GIB });
    await world.toTheEnd();
    expect(world.move?.status?.reason === "NoStagingRoom" ? "NoStagingRoom" : undefined).toBe(reason);
  });
});

describe("a target's disk", () => {
  it.each([
    ["twice the files that are on a disk", 2 * GIB, undefined],
    ["less", 2 * GIB - 1, "NoDiskRoom"],
  ])("must have room for the files as they land and as they are copied: %s", async (_what, filesFreeBytes, reason) => {
    const world = await World.with();
    world.nodes.facts = { ...FACTS, filesBytes: 3 * GIB, memoryFilesBytes: 2 * GIB };
    world.nodes.overrides.set("z2", { ...FEATURES, filesFreeBytes });
    await world.toTheEnd();
    expect(world.move?.status?.reason === "NoDiskRoom" ? "NoDiskRoom" : undefined).toBe(reason);
  });
});
