/** The scheduler: pods that wait, in the order in which they came; each goes to the best node that it fits on. */
import { compareText } from "../../planning/order.ts";
import { tolerates } from "../../planning/placement/tolerations.ts";
import type { Taint } from "../../planning/snapshot.ts";
import { sparesItsPods } from "../clusters/unavailable.ts";
import type { Conditions } from "../scenario.ts";
import type { NodeRun } from "./node-run.ts";
import { qualityOfService } from "./out-of-memory.ts";
import type { PodRun } from "./pod-run.ts";

/** What a pod without a request counts for in scores, never in what fits; kube-scheduler's DefaultMemoryRequest. */
const DEFAULT_REQUEST_BYTES = 200 * 1024 ** 2;

/** Of a node for a pod; the highest wins. */
type Score = (pod: PodRun, node: NodeRun) => number;

const requestedPart = (pod: PodRun, node: NodeRun) => {
  const requested = node.requestedBytes + (pod.spec.requestBytes || DEFAULT_REQUEST_BYTES);
  return Math.min(1, requested / node.allocatableBytes);
};

const leastRequested: Score = (pod, node) => 1 - requestedPart(pod, node);

/** Besides, memory and places for pods should be used up alike: the two resources that the simulator knows. */
const balanced: Score = (pod, node) => {
  const places = Math.min(1, (node.promisedPods + 1) / node.maxPods);
  return leastRequested(pod, node) + 1 - Math.abs(requestedPart(pod, node) - places) / 2;
};

const SCORES: Record<Conditions["scheduler"], Score> = { LeastRequested: leastRequested, Balanced: balanced };

const repels = (pod: PodRun, taint: Taint) =>
  !(pod.spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

/** Whether the pod can go there at all, as far as these taints go. */
export function fits(pod: PodRun, node: NodeRun, at: number, taints: readonly Taint[] = node.taints): boolean {
  const { requestBytes, nodeSelector } = pod.spec;
  if (node.promisedPods >= node.maxPods) return false;
  if (requestBytes > 0 && node.requestedBytes + requestBytes > node.allocatableBytes) return false;
  if (taints.some((taint) => taint.effect !== "PreferNoSchedule" && repels(pod, taint))) return false;
  if (at < node.underPressureUntil && qualityOfService(pod.spec) === "BestEffort") return false;
  return nodeSelector === undefined || Object.entries(nodeSelector).every(([key, value]) => node.labels[key] === value);
}

const unwelcome = (pod: PodRun, node: NodeRun) =>
  node.taints.filter((taint) => taint.effect === "PreferNoSchedule" && repels(pod, taint)).length;

/** The best of the nodes that the pod fits on. */
export function bestNode(pod: PodRun, nodes: Iterable<NodeRun>, at: number, score: Score): NodeRun | undefined {
  let best: NodeRun | undefined;
  let bestScore = 0;
  for (const node of nodes) {
    if (!fits(pod, node, at)) continue;
    const nodeScore = score(pod, node) - 10 * unwelcome(pod, node);
    if (best === undefined || nodeScore > bestScore || (nodeScore === bestScore && isBefore(node, best))) {
      [best, bestScore] = [node, nodeScore];
    }
  }
  return best;
}

/** Among equals the one with the fewest pods, then the first by name. */
function isBefore(a: NodeRun, b: NodeRun): boolean {
  return (a.promisedPods - b.promisedPods || compareText(a.name, b.name)) < 0;
}

/** A pod that fits nowhere waits until a node has more room than before: only such nodes are looked at again. */
export class Scheduler {
  readonly #nodes: readonly NodeRun[];
  readonly #byName: ReadonlyMap<string, NodeRun>;
  readonly #score: Score;
  readonly #place: (pod: PodRun, node: NodeRun, at: number) => void;
  #fresh: PodRun[] = [];
  #waiting: PodRun[] = [];
  readonly #freer = new Set<NodeRun>();

  constructor(
    nodes: readonly NodeRun[],
    scheduler: Conditions["scheduler"],
    place: (pod: PodRun, node: NodeRun, at: number) => void,
  ) {
    this.#nodes = nodes;
    this.#byName = new Map(nodes.map((node) => [node.name, node]));
    this.#score = SCORES[scheduler];
    this.#place = place;
  }

  add(pod: PodRun): void {
    this.#fresh.push(pod);
  }

  noteFreer(node: NodeRun): void {
    this.#freer.add(node);
  }

  /** Places what can be placed. */
  run(at: number): void {
    if (this.#freer.size > 0 && this.#waiting.length > 0) {
      this.#waiting = this.#waiting.filter((pod) => !this.#try(pod, this.#freer, at));
    }
    this.#freer.clear();
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    this.#fresh = [];
    for (const pod of fresh) if (!this.#try(pod, this.#nodes, at)) this.#waiting.push(pod);
  }

  #try(pod: PodRun, nodes: Iterable<NodeRun>, at: number): boolean {
    const node = this.#recorded(pod, at) ?? bestNode(pod, nodes, at, this.#score);
    if (node === undefined) return false;
    this.#place(pod, node, at);
    return true;
  }

  /** A pod that was recorded on a node is first put there: it ran there whether or not the node takes new ones. */
  #recorded(pod: PodRun, at: number): NodeRun | undefined {
    if (pod.spec.node === undefined || pod.record.scheduledSeconds !== undefined) return undefined;
    const node = this.#byName.get(pod.spec.node);
    if (node === undefined) return undefined;
    const taints = node.taints.filter((taint) => !sparesItsPods(taint));
    return fits(pod, node, at, taints) ? node : undefined;
  }
}
