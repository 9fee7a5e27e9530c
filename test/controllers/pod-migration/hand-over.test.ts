import { describe, expect, it } from "vitest";
import {
  DELETION_COST,
  type HandOverSituation,
  LOWEST_COST,
  nextStep,
} from "../../../src/controllers/pod-migration/hand-over/plan.ts";
import { removeSurplus, surplusAmong } from "../../../src/controllers/pod-migration/hand-over/surplus.ts";
import type { MoveRun } from "../../../src/controllers/pod-migration/run.ts";
import type { DeleteOptions } from "../../../src/kube/client.ts";
import { PODS, type Pod, REPLICA_SETS } from "../../../src/kube/resources.ts";
import { Lifetime } from "../../support/moving-world/mortal.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";
import { World } from "../../support/moving-world/world.ts";

function pod(part: {
  labels?: object;
  annotations?: object;
  owner?: string;
  ready?: boolean;
  released?: boolean;
  phase?: string;
  deleted?: boolean;
  restarts?: number;
}): Pod {
  const made = sourcePod();
  Object.assign(made.metadata, { labels: part.labels ?? {}, annotations: part.annotations ?? {} });
  if (part.owner) made.metadata.ownerReferences = [{ apiVersion: "v1", kind: "Owner", name: "o", uid: part.owner }];
  if (part.deleted) Object.assign(made.metadata, { deletionTimestamp: "2026-01-01T00:00:00Z" });
  made.status = {
    phase: part.phase ?? "Running",
    containerStatuses: [{ name: "c", image: "i", imageID: "i", ready: false, restartCount: part.restarts ?? 0 }],
    conditions: [
      { type: "Ready", status: part.ready ? "True" : "False" },
      ...(part.released ? [{ type: "headroom.dev/handed-over", status: "True" }] : []),
    ],
  };
  return made;
}

const UNADOPTED = { "headroom.dev/move-uid": "1" };
const LOWERED = { [DELETION_COST]: LOWEST_COST };
const source = (part: Parameters<typeof pod>[0] = {}) =>
  pod({ owner: "o", ready: true, annotations: LOWERED, ...part });
const target = (part: Parameters<typeof pod>[0] = {}) => pod({ labels: UNADOPTED, released: true, ...part });

type Case = [what: string, step: string, situation: Partial<HandOverSituation>];

const UNOPENED: Case[] = [
  ["of a bare pod", "open-readiness", { target: target({ released: false }), ownerUID: undefined }],
  [
    "of a ReplicaSet's pod",
    "open-readiness",
    { ownerKind: "ReplicaSet", source: source({ annotations: {} }), target: target({ released: false }) },
  ],
  ["of a Job's pod", "open-readiness", { ownerKind: "Job", source: source(), target: target({ released: false }) }],
  ["that was adopted before", "open-readiness", { target: target({ labels: {}, released: false }) }],
];

const REPLICA_SET: Case[] = [
  [
    "the source's deletion cost comes first",
    "lower-cost",
    { source: source({ annotations: {} }), target: target({ ready: true }) },
  ],
  ["a copy that is ready is adopted", "adopt-target", { source: source(), target: target({ ready: true }) }],
  ["a copy that isn't waits while the source is ready", "wait", { source: source(), target: target() }],
  [
    "a copy that isn't is adopted when the source isn't either",
    "adopt-target",
    { source: source({ ready: false }), target: target() },
  ],
  [
    "a copy that doesn't run yet waits",
    "wait",
    { source: source({ ready: false }), target: target({ phase: "Pending" }) },
  ],
  [
    "a source about to be restarted is let go first",
    "orphan-source",
    { source: source(), target: target(), pressed: true },
  ],
  [
    "then the copy is adopted at once",
    "adopt-target",
    { source: pod({ annotations: LOWERED }), target: target(), pressed: true },
  ],
  [
    "with the source being deleted the copy is adopted at once",
    "adopt-target",
    { source: source({ deleted: true }), target: target() },
  ],
  ["with the source gone the copy is adopted at once", "adopt-target", { target: target() }],
  [
    "the deletion cost of what replaces a deleted source comes first",
    "lower-cost",
    { source: source({ deleted: true }), target: target({ ready: true }), rivals: [source({ annotations: {} })] },
  ],
  [
    "beside it a copy that is ready is adopted",
    "adopt-target",
    { target: target({ ready: true }), rivals: [source()] },
  ],
  ["one that isn't waits", "wait", { target: target(), rivals: [source()] }],
  ["unless the replacement isn't either", "adopt-target", { target: target(), rivals: [source({ ready: false })] }],
  [
    "when it has waited for long, the replacement goes",
    "remove-rival",
    { target: target(), rivals: [source()], overdue: true },
  ],
  [
    "a copy that has died makes way for what replaces a deleted source",
    "remove-target",
    { target: target({ ready: true, restarts: 1 }), rivals: [source({ ready: false })] },
  ],
  ["a copy that has died is adopted when nothing has replaced it", "adopt-target", { target: target({ restarts: 1 }) }],
  ["an adopted copy has everything", "nothing", { source: source(), target: target({ labels: {} }) }],
  ["with the copy gone there is nothing to do", "nothing", { source: source() }],
];

const JOB: Case[] = [
  [
    "the source is let go first, ready copy or not",
    "orphan-source",
    { source: source({ annotations: {} }), target: target() },
  ],
  ["then the copy is adopted", "adopt-target", { source: pod({}), target: target() }],
  [
    "what replaces a deleted source goes first",
    "remove-rival",
    { source: source({ deleted: true }), target: target({ ready: true }), rivals: [source()] },
  ],
  [
    "a copy that has died makes way for what replaces a deleted source",
    "remove-target",
    { target: target({ restarts: 1 }), rivals: [source()] },
  ],
  ["an adopted copy has everything", "nothing", { source: pod({}), target: target({ labels: {} }) }],
];

const nothing: HandOverSituation = {
  source: undefined,
  target: undefined,
  ownerKind: undefined,
  ownerUID: "o",
  pressed: false,
  overdue: false,
  rivals: [],
};

describe("the next step of a hand-over", () => {
  it.each(UNOPENED)("lets the copy %s count as ready before anything else (%s)", (_, step, situation) => {
    expect(nextStep({ ...nothing, ...situation }).do).toBe(step);
  });

  it.each(REPLICA_SET)("to a ReplicaSet: %s (%s)", (_, step, situation) => {
    expect(nextStep({ ...nothing, ownerKind: "ReplicaSet", ...situation }).do).toBe(step);
  });

  it.each(JOB)("to a Job: %s (%s)", (_, step, situation) => {
    expect(nextStep({ ...nothing, ownerKind: "Job", ...situation }).do).toBe(step);
  });

  it("of a bare pod: the copy loses the namespace as its owner", () => {
    const situation = { source: pod({}), target: target(), ownerUID: undefined };
    expect(nextStep({ ...nothing, ...situation }).do).toBe("adopt-target");
  });
});

describe("a surplus pod", () => {
  const named = (uid: string, created: string, part: Parameters<typeof pod>[0] = {}) => {
    const made = pod(part);
    Object.assign(made.metadata, { uid, creationTimestamp: created });
    return made;
  };
  const keep = named("copy", "2026-01-01T00:00:30Z");
  const old = named("old", "2026-01-01T00:00:00Z");
  // Made before the commit, when the frozen source was evicted.
  const replacement = named("new", "2026-01-01T00:00:31Z");
  const surplus = (owned: Pod[], desired: number, leaving?: Pod) =>
    surplusAmong(owned, desired, { keep, leaving }).map(({ metadata }) => metadata.uid);

  it("is the one made since the copy, beyond what its owner wants", () => {
    expect(surplus([keep, replacement], 1)).toEqual(["new"]);
    expect(surplus([keep, old, replacement], 2)).toEqual(["new"]);
  });

  it("is none that was made before the copy", () => {
    expect(surplus([keep, named("older", "2026-01-01T00:00:29Z")], 1)).toEqual([]);
  });

  it("is none that another move has brought: that has its memory", () => {
    const moved = named("moved", "2026-01-01T00:00:40Z", { labels: { "headroom.dev/lineage": "another" } });
    expect(surplus([keep, moved, replacement], 2)).toEqual(["new"]);
    expect(surplus([keep, moved], 1)).toEqual([]);
  });

  it("has the copy's index, in an Indexed Job", () => {
    const indexed = (uid: string, second: number, index: string) =>
      named(uid, `2026-01-01T00:00:${second}Z`, { annotations: { "batch.kubernetes.io/job-completion-index": index } });
    const copy = indexed("copy", 30, "0");
    const owned = [copy, indexed("other", 50, "1"), indexed("new", 40, "0")];
    const found = surplusAmong(owned, 2, { keep: copy, leaving: undefined });
    expect(found.map(({ metadata }) => metadata.uid)).toEqual(["new"]);
    expect(surplusAmong(owned.slice(0, 2), 1, { keep: copy, leaving: undefined })).toEqual([]);
  });

  it("is none while the owner wants as many", () => {
    expect(surplus([keep, replacement], 2)).toEqual([]);
  });

  it("is never the copy, nor a pod older than it", () => {
    expect(surplus([keep, old], 1)).toEqual([]);
    expect(surplus([keep], 0)).toEqual([]);
  });

  it("is not made up by pods that are leaving, or have ended", () => {
    const leaving = named("source", "2026-01-01T00:00:00Z");
    const ended = named("ended", "2026-01-01T00:01:01Z", { phase: "Failed" });
    expect(surplus([keep, leaving], 1, leaving)).toEqual([]);
    expect(surplus([keep, ended], 1)).toEqual([]);
  });
});

describe("the removal of surplus pods", () => {
  const at = (seconds: number) => new Date(Date.parse("2026-01-01T00:00:00Z") + seconds * 1000).toISOString();

  /** A ReplicaSet of one with the copy and a younger pod, at a generation that it has acted on or not. */
  async function removed(observedGeneration: number): Promise<{ deleted: DeleteOptions[] }> {
    const world = await World.with("ReplicaSet");
    world.kube.onChange = () => {};
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "owner", uid: "" };
    world.kube.change(REPLICA_SETS, { namespace: "default", name: "owner" }, (set) => {
      Object.assign(set.metadata, { generation: 2 });
      Object.assign(set, { status: { replicas: 2, observedGeneration } });
      owner.uid = set.metadata.uid ?? "";
    });
    const [copy, serving] = [await make(world, "copy", owner), await make(world, "serving", owner)];
    const deleted: DeleteOptions[] = [];
    world.kube.delete = async (_kind, ref, options = {}) => {
      if (ref.name === serving.metadata.name) deleted.push(options);
    };
    const status = { owner, phaseTransitions: [{ phase: "Frozen", time: at(-10), reason: "r" }] };
    // The removal looks at nothing else of a run.
    const run = { deps: world.dependencies(new Lifetime()), move: { ...world.move, status } } as unknown as MoveRun;
    await removeSurplus(run, { source: undefined, target: copy });
    return { deleted };
  }

  async function make(world: World, name: string, owner: { uid: string }): Promise<Pod> {
    const made = pod({ owner: owner.uid, ready: true });
    Object.assign(made.metadata, { name });
    made.spec.terminationGracePeriodSeconds = 45;
    return world.kube.create(PODS, made);
  }

  it("gives a pod its own time to end", async () => {
    expect((await removed(2)).deleted).toMatchObject([{ gracePeriodSeconds: 45 }]);
  });

  it("is left to a ReplicaSet that has yet to act on its size", async () => {
    expect((await removed(1)).deleted).toEqual([]);
  });
});
