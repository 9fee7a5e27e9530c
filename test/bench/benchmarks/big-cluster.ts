/** A made-up cluster of any size: thirty pods a node or as many as asked for, one node in a hundred short of memory. */
import type { ClusterSnapshot, Figure, NodeSnapshot, PodSnapshot, Series } from "../../../src/planning/snapshot.ts";
import { NOW_MS } from "../../planning/fixtures.ts";

export const GI = 2 ** 30;
export const NODE_BYTES = 64 * GI;
const STEP_MS = 15_000;
/** What the pods of a node use together, of its capacity: short ones beyond a threshold of 20% free, others well below. */
const SHORT_USE = 0.85;
const CALM_USE = 0.5;

export interface BigCluster {
  nodes: number;
  pods: number;
  /** Samples of each series, a quarter of a minute apart; 0: figures without a series. */
  samples: number;
  /** Every so many nodes one is short. 0: none. */
  shortEvery: number;
  /** So many pods keep off each other's nodes and spread over the zones. Absent or 0: pods have no rules about each other. */
  podsPerApplication?: number;
}

export function bigCluster(size: BigCluster): ClusterSnapshot {
  const nodes: NodeSnapshot[] = [];
  const pods: PodSnapshot[] = [];
  const nodeFigures = new Map<string, Figure>();
  const podFigures = new Map<string, Figure>();
  for (let index = 0; index < size.nodes; index++) {
    const short = size.shortEvery > 0 && index % size.shortEvery === 0;
    const usedBytes = NODE_BYTES * (short ? SHORT_USE : CALM_USE + (index % 10) / 100);
    nodes.push(bigNode(`node-${index}`, index));
    nodeFigures.set(`node-${index}`, figure(usedBytes, size.samples, index));
    const count = Math.floor(((index + 1) * size.pods) / size.nodes) - Math.floor((index * size.pods) / size.nodes);
    for (let number = 0; number < count; number++) {
      const one = {
        ...bigPod(`worker-${index}-${number}`, `node-${index}`, number),
        ...neighbourRules(pods.length, size),
      };
      pods.push(one);
      podFigures.set(one.uid, figure((usedBytes / count) * (0.9 + (number % 3) / 10), size.samples, index + number));
    }
  }
  const sources = { InfluxDB: { nodes: nodeFigures, pods: podFigures } };
  return { timeMs: NOW_MS, nodes, pods, moves: [], sources, memory: { version: 1, gates: {} } };
}

function bigNode(name: string, index: number): NodeSnapshot {
  return {
    name,
    capacityBytes: NODE_BYTES,
    allocatableBytes: NODE_BYTES,
    usedBytes: undefined,
    sampledAtMs: undefined,
    labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-${index % 3}`, pool: "batch" },
    taints: [],
    unschedulable: false,
    ready: true,
    maxPods: 110,
    agentReady: true,
    stagingFreeBytes: NODE_BYTES,
  };
}

function bigPod(name: string, node: string, number: number): PodSnapshot {
  const uid = `0b0c7a9e-${name}`;
  return {
    namespace: `team-${number % 4}`,
    name,
    uid,
    node,
    usedBytes: undefined,
    sampledAtMs: undefined,
    requestBytes: GI,
    labels: { tier: "batch", app: `app-${number % 10}`, "pod-template-hash": "5d4f8c7b9" },
    namespaceLabels: { "kubernetes.io/metadata.name": `team-${number % 4}` },
    annotations: {},
    tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" }],
    nodeSelector: {},
    startedAtMs: NOW_MS - 3_600_000,
    migrations: 0,
    lineage: uid,
    ownerKind: "Job",
    phase: "Running",
  };
}

/** The `index`-th pod is of the application that comes next in turn, so that no two of one application share a node. */
function neighbourRules(index: number, { podsPerApplication = 0, ...size }: BigCluster): Partial<PodSnapshot> {
  if (podsPerApplication === 0) return {};
  const app = `app-${index % Math.ceil(size.pods / podsPerApplication)}`;
  const labelSelector = { matchLabels: { app } };
  return {
    labels: { tier: "batch", app },
    affinity: { podAntiAffinity: [{ topologyKey: "kubernetes.io/hostname", labelSelector }] },
    topologySpread: [{ maxSkew: podsPerApplication, topologyKey: "topology.kubernetes.io/zone", labelSelector }],
  };
}

function figure(usedBytes: number, samples: number, seed: number): Figure {
  const series = samples === 0 ? {} : { series: rising(usedBytes, samples, seed) };
  return { usedBytes, sampledAtMs: NOW_MS, ...series };
}

/** Up to this use, by a hundredth of it over the series, with some noise. */
function rising(usedBytes: number, samples: number, seed: number): Series {
  const timesMs = new Float64Array(samples);
  const bytes = new Float64Array(samples);
  for (let index = 0; index < samples; index++) {
    timesMs[index] = NOW_MS - (samples - 1 - index) * STEP_MS;
    const noise = (((index + 1) * 7919 + seed * 104_729) % 1000) / 1e6;
    bytes[index] = usedBytes * (0.99 + (0.01 * (index + 1)) / samples - noise);
  }
  return { timesMs, bytes };
}
