/** A planning snapshot as it is written down; reading it gives the same decisions. Pure. */
import { API_VERSION } from "../../api/v1alpha1/group.ts";
import { writeRules } from "../kubernetes-rules.ts";
import type { ClusterSnapshot, Figure, MoveSnapshot, NodeSnapshot, PodSnapshot, Series } from "../snapshot.ts";

type Written = Record<string, unknown>;

const timeText = (timeMs: number | undefined) => (timeMs === undefined ? undefined : new Date(timeMs).toISOString());

/**
 * `source`: the metrics source whose figures are written, where the snapshot has several; a written snapshot has one figure
 * for each node and pod.
 */
export function writeSnapshot(snapshot: ClusterSnapshot, source?: string): Written {
  const { sources } = snapshot;
  const figures = source === undefined ? undefined : sources?.[source];
  const missing: Figure = { usedBytes: undefined, sampledAtMs: undefined };
  const nodeFigure = (node: NodeSnapshot) =>
    sources === undefined ? node : (figures?.nodes.get(node.name) ?? missing);
  const podFigure = (pod: PodSnapshot) => (sources === undefined ? pod : (figures?.pods.get(pod.uid) ?? missing));
  const measured = sources !== undefined;
  return defined({
    apiVersion: API_VERSION,
    kind: "ClusterSnapshot",
    time: timeText(snapshot.timeMs),
    nodes: snapshot.nodes.map((node) => writeNode(node, writeFigure(nodeFigure(node), measured))),
    pods: snapshot.pods.map((pod) => writePod(pod, writeFigure(podFigure(pod), measured))),
    moves: snapshot.moves.map(writeMove),
    memory: snapshot.memory,
  });
}

/** A figure that a metrics source does not have is written as an empty series: no sum of pods takes its place. */
function writeFigure({ usedBytes, sampledAtMs, series, suspect }: Figure, measured: boolean): Written {
  const mark = suspect === true ? { suspect } : {};
  if (series !== undefined && series.bytes.length > 0) return { series: writeSeries(series), ...mark };
  if (usedBytes !== undefined) return { used: usedBytes, sampledAt: timeText(sampledAtMs), ...mark };
  return measured ? { series: [] } : mark;
}

function writeSeries({ timesMs, bytes }: Series): Written[] {
  return Array.from(timesMs, (timeMs, index) => ({ time: timeText(timeMs), bytes: bytes[index] ?? null }));
}

function writeNode(node: NodeSnapshot, figure: Written): Written {
  return defined({
    name: node.name,
    capacity: node.capacityBytes,
    ...figure,
    allocatable: node.allocatableBytes,
    labels: node.labels,
    taints: node.taints,
    unschedulable: node.unschedulable,
    maxPods: node.maxPods,
    ready: node.ready,
    agentReady: node.agentReady,
    handlerMissing: node.handlerMissing,
    failedKinds: node.failedKinds,
    stagingFree: node.stagingFreeBytes,
  });
}

function writePod(pod: PodSnapshot, figure: Written): Written {
  const { expectedRuntimeSeconds, growthBytesPerMinute } = pod;
  return defined({
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    node: pod.node,
    ...figure,
    growthPerMinute: "series" in figure ? undefined : growthBytesPerMinute,
    labels: pod.labels,
    namespaceLabels: pod.namespaceLabels,
    annotations: pod.annotations,
    requests: pod.requestBytes,
    startedAt: timeText(pod.startedAtMs),
    expectedRuntime: expectedRuntimeSeconds === undefined ? undefined : `${Math.round(expectedRuntimeSeconds)}s`,
    migrations: pod.migrations,
    lineage: pod.lineage,
    owner: pod.ownerKind,
    tolerations: pod.tolerations,
    nodeSelector: pod.nodeSelector,
    ...writeRules(pod),
    terminating: pod.terminating,
    phase: pod.phase,
    obstacle: pod.obstacle,
    kinds: pod.kinds,
  });
}

function writeMove(move: MoveSnapshot): Written {
  return defined({
    namespace: move.namespace,
    name: move.name,
    pod: move.pod,
    podUID: move.podUID,
    lineage: move.lineage,
    policy: move.policy,
    from: move.from,
    to: move.to,
    memory: move.memoryBytes,
    files: move.filesBytes,
    memoryFiles: move.memoryFilesBytes,
    phase: move.phase,
    startedAt: timeText(move.startedAtMs),
    finishedAt: timeText(move.finishedAtMs),
    freezeMilliseconds: move.freezeMilliseconds,
    transferredBytes: move.transferredBytes,
    notCarried: move.notCarried,
    programFailed: move.programFailed,
  });
}

function defined(fields: Written): Written {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
