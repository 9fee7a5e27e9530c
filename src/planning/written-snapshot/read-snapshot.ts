/** A planning snapshot out of a written one: what is absent is filled in as the schema says. Pure. */

import { parseDuration } from "../../api/quantity.ts";
import type { WrittenMove, WrittenNode, WrittenPod, WrittenSnapshot } from "../../api/v1alpha1/cluster-snapshot.ts";
import { EXPECTED_RUNTIME_ANNOTATION } from "../../api/v1alpha1/group.ts";
import type { RememberedCalibrations } from "../foresight/calibrations.ts";
import { readRules } from "../kubernetes-rules.ts";
import type { ClusterSnapshot, Figure, MoveSnapshot, NodeSnapshot, PlanningMemory, PodSnapshot } from "../snapshot.ts";
import { readSeries } from "./read-series.ts";

/** The kubelet's own default. */
const DEFAULT_MAX_PODS = 110;
/** Kinds whose pods can be handed over; those that belong to their node have a reason of their own. */
const KNOWN_OWNERS: ReadonlySet<string> = new Set(["ReplicaSet", "Deployment", "Job", "DaemonSet", "Node"]);

export function readSnapshot(written: WrittenSnapshot): ClusterSnapshot {
  const capacities = new Map(written.nodes.map((node) => [node.name, node.capacity]));
  const memory = readMemory(written.memory);
  const uids = new Map(written.pods.map((pod) => [placeOf(pod, pod.node), ownUid(pod)]));
  return {
    timeMs: written.time,
    nodes: written.nodes.map((node) => readNode(node, written.time)),
    pods: written.pods.map((pod) => readPod(pod, written, capacities.get(pod.node) ?? 0)),
    moves: written.moves.map((move) => readMove(move, uids)),
    ...(memory && { memory }),
  };
}

type WrittenCalibrations = NonNullable<NonNullable<WrittenSnapshot["memory"]>["forecasts"]>;

/** `{}` remembers nothing: as if it were not there. */
function readMemory(written: WrittenSnapshot["memory"]): PlanningMemory | undefined {
  if (written?.version === undefined) return undefined;
  const { version, gates = {}, confirmations, relieving } = written;
  const forecasts = written.forecasts && usable(written.forecasts);
  return { version, gates, ...defined({ confirmations, relieving, forecasts }) };
}

/** Without those that were damaged. */
function usable(forecasts: WrittenCalibrations): RememberedCalibrations {
  return definedIn(forecasts, ({ nodes, pods }) => ({ nodes: definedIn(nodes, same), pods: definedIn(pods, same) }));
}

const same = <T>(value: T) => value;

function definedIn<T, U>(record: Readonly<Record<string, T | undefined>>, read: (value: T) => U): Record<string, U> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([key, one]) => (one === undefined ? [] : [[key, read(one)] as const])),
  );
}

function readFigure(written: WrittenNode | WrittenPod, nowMs: number, capacityBytes: number): Figure {
  if (written.series !== undefined) {
    const figure = readSeries(written.series, { nowMs, capacityBytes });
    return written.suspect === true ? { ...figure, suspect: true } : figure;
  }
  const sampledAtMs = written.used === undefined ? undefined : (written.sampledAt ?? nowMs);
  return { usedBytes: written.used, sampledAtMs, ...defined({ suspect: written.suspect }) };
}

function readNode(written: WrittenNode, nowMs: number): NodeSnapshot {
  const { capacity: capacityBytes } = written;
  return {
    name: written.name,
    capacityBytes,
    allocatableBytes: written.allocatable ?? capacityBytes,
    ...readFigure(written, nowMs, capacityBytes),
    labels: written.labels ?? {},
    taints: (written.taints ?? []).map(({ key, effect, value }) => ({ key, effect, ...defined({ value }) })),
    unschedulable: written.unschedulable ?? false,
    ready: written.ready ?? true,
    maxPods: written.maxPods ?? DEFAULT_MAX_PODS,
    agentReady: written.agentReady ?? true,
    ...defined({
      handlerMissing: written.handlerMissing,
      failedKinds: written.failedKinds,
      stagingFreeBytes: written.stagingFree,
    }),
  };
}

const ownUid = ({ uid, namespace, name }: WrittenPod) => uid ?? `${namespace}/${name}`;

function readPod(written: WrittenPod, { moves, time }: WrittenSnapshot, capacityBytes: number): PodSnapshot {
  const uid = ownUid(written);
  const lineage = written.lineage ?? uid;
  const annotations = written.annotations ?? {};
  const annotated = parseDuration(annotations[EXPECTED_RUNTIME_ANNOTATION] ?? "");
  return {
    namespace: written.namespace,
    name: written.name,
    uid,
    node: written.node,
    ...readFigure(written, time, capacityBytes),
    requestBytes: written.requests ?? 0,
    labels: written.labels ?? {},
    namespaceLabels: written.namespaceLabels ?? {},
    annotations,
    tolerations: (written.tolerations ?? []).map((toleration) => defined(toleration)),
    nodeSelector: written.nodeSelector ?? {},
    ...readRules(written, written.labels ?? {}),
    migrations: written.migrations ?? timesMoved(moves, lineage),
    lineage,
    phase: written.phase ?? "Running",
    ...defined({
      growthBytesPerMinute: written.growthPerMinute,
      startedAtMs: written.startedAt,
      expectedRuntimeSeconds: written.expectedRuntime ?? annotated,
      ownerKind: written.owner,
      terminating: written.terminating,
      obstacle: written.obstacle ?? obstacleOf(written),
      kinds: written.kinds,
    }),
  };
}

const moveLineage = ({ lineage, podUID, namespace, pod }: WrittenMove) => lineage ?? podUID ?? `${namespace}/${pod}`;

function timesMoved(moves: readonly WrittenMove[], lineage: string): number {
  return moves.filter((move) => move.phase === "Succeeded" && moveLineage(move) === lineage).length;
}

/** As the PodMigration's preflight would say. */
export function obstacleOf({
  containers = 1,
  owner,
}: Pick<WrittenPod, "containers" | "owner">): PodSnapshot["obstacle"] {
  if (owner === "StatefulSet") {
    return { reason: "StatefulSet", message: "a StatefulSet's pod can't be moved: the copy would need its name" };
  }
  if (owner !== undefined && !KNOWN_OWNERS.has(owner)) {
    return { reason: "UnsupportedOwner", message: `it belongs to a ${owner}` };
  }
  return containers === 1 ? undefined : { reason: "SeveralContainers", message: `it has ${containers} containers` };
}

const placeOf = ({ namespace, name }: { namespace: string; name: string }, node: string) =>
  `${namespace}/${name}/${node}`;

/** A move belongs to the pod of its name on the node that it leaves; `uids` are by that place. */
function readMove(written: WrittenMove, uids: ReadonlyMap<string, string>): MoveSnapshot {
  const { namespace, pod, from, to, phase, policy, freezeMilliseconds, transferredBytes, notCarried, programFailed } =
    written;
  return {
    namespace,
    name: written.name ?? `${pod}-${from}-${to ?? "anywhere"}`,
    pod,
    lineage: moveLineage(written),
    from,
    memoryBytes: written.memory,
    phase,
    ...defined({
      podUID: written.podUID ?? uids.get(placeOf({ namespace, name: pod }, from)),
      policy,
      to,
      startedAtMs: written.startedAt,
      finishedAtMs: written.finishedAt,
      filesBytes: written.files,
      memoryFilesBytes: written.memoryFiles,
      freezeMilliseconds,
      transferredBytes,
      notCarried,
      programFailed,
    }),
  };
}

/** Without the members that are undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Only undefined members are dropped, which is what the type says.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
