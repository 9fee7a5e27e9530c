/** Snapshots and policies in the abstract units of the cases: a node has 100, so a byte is a percent. */
import type { z } from "zod";
import { migrationPolicySpecSchema } from "../../src/api/v1alpha1/migration-policy.ts";
import { type Policy, toPolicy } from "../../src/planning/policy.ts";
import type { ClusterSnapshot, MoveSnapshot, NodeSnapshot, PodSnapshot } from "../../src/planning/snapshot.ts";

export const NOW_MS = Date.parse("2026-01-01T12:00:00Z");

export function node(name: string, more: Partial<NodeSnapshot> = {}): NodeSnapshot {
  return {
    name,
    capacityBytes: 100,
    allocatableBytes: 100,
    usedBytes: undefined,
    sampledAtMs: more.usedBytes === undefined ? undefined : NOW_MS,
    labels: {},
    taints: [],
    unschedulable: false,
    ready: true,
    maxPods: 110,
    agentReady: true,
    ...more,
  };
}

export function pod(
  name: string,
  onNode: string,
  usedBytes: number | undefined,
  more: Partial<PodSnapshot> = {},
): PodSnapshot {
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    node: onNode,
    usedBytes,
    sampledAtMs: usedBytes === undefined ? undefined : NOW_MS,
    requestBytes: 0,
    labels: {},
    namespaceLabels: {},
    annotations: {},
    tolerations: [],
    nodeSelector: {},
    migrations: 0,
    lineage: `uid-${name}`,
    phase: "Running",
    ...more,
  };
}

export function move(more: Partial<MoveSnapshot> & Pick<MoveSnapshot, "pod" | "from">): MoveSnapshot {
  return { namespace: "default", name: `move-${more.pod}`, memoryBytes: 0, phase: "Frozen", ...more };
}

/** `{z2: {w: 40, q: 45}}`: nodes, each with its pods. */
export type Layout = Record<string, Record<string, number>>;

export function cluster(layout: Layout, more: Partial<ClusterSnapshot> = {}): ClusterSnapshot {
  const nodes = Object.keys(layout).map((name) => node(name));
  const pods = Object.entries(layout).flatMap(([name, uses]) =>
    Object.entries(uses).map(([podName, used]) => pod(podName, name, used)),
  );
  return { timeMs: NOW_MS, nodes, pods, moves: [], ...more };
}

export type SpecInput = Partial<z.input<typeof migrationPolicySpecSchema>>;

/** Moves pods however small, enforcing, with no margin beyond what the case says. */
export function policy(spec: SpecInput = {}, name = "p"): Policy {
  const parsed = migrationPolicySpecSchema.parse({
    podSelector: {},
    mode: "Enforce",
    ...spec,
    eligibility: { minMemory: "0Ki", ...spec.eligibility },
  });
  return toPolicy(name, parsed);
}

export const brief = (moves: readonly { pod: string; to: string }[]) =>
  moves.map(({ pod: name, to }) => `${name}→${to}`);
