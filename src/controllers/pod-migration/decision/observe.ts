/** Looks at both sides of a move as they are now: the facts that the decision table decides on. */
import type { MoveRecord } from "../../../agent/protocol.ts";
import type { Condition } from "../../../api/v1alpha1/fields.ts";
import { sleep } from "../../../kube/clock.ts";
import { NODES, type Node, type Pod } from "../../../kube/resources.ts";
import type { Refusal } from "../dependencies.ts";
import { attempt } from "../driver-failure.ts";
import { readSource, readTarget } from "../pods.ts";
import { isPinned } from "../preflight/pod-facts.ts";
import { type Move, type MoveRun, moveId, sourceOf, targetOf } from "../run.ts";
import type { CopyState, ImagesState, SourceState } from "./situation.ts";

/** An agent is given this long to answer: the pod is frozen meanwhile. */
const SILENT_MS = 250;

export interface Seen {
  sourcePod: Pod | undefined;
  targetPod: Pod | undefined;
  source: SourceState;
  /** Its agent has answered. Else the API alone told, and that is late. */
  sourceHeard: boolean;
  copy: CopyState;
  images: ImagesState;
  /** Why the target pod cannot carry a copy any more. */
  targetGone?: Refusal;
}

/** What an agent says of this move: undefined when it is silent, "nothing" when it does not know the move. */
type Word = MoveRecord | "nothing" | undefined;

/**
 * Asks all of them concurrently.
 * @param known what the target's agent has just said of the copy.
 * @param silentMs an agent that has not answered after this time is silent.
 */
export async function observe(run: MoveRun, known?: "held" | "dead", silentMs = SILENT_MS): Promise<Seen> {
  const [sourcePod, targetPod, sourceWord, targetWord] = await Promise.all([
    readSource(run),
    readTarget(run),
    wordOf(run, sourceOf(run.move).node, "source", silentMs),
    known === "held" ? undefined : wordOf(run, targetOf(run.move).node, "target", silentMs),
  ]);
  const source = await sourceState(run, sourcePod, sourceWord);
  const pods = { sourcePod, targetPod, sourceHeard: sourceWord !== undefined };
  const targetGone = whyGone(targetPod) ?? whyRuledOut(targetWord);
  if (targetGone) return { ...pods, source, targetGone, ...copyWithoutPod(targetWord) };
  if (known === "held") return { ...pods, source, copy: "held", images: "whole" };
  return { ...pods, source, copy: known ?? copyState(targetWord), images: imagesState(targetWord) };
}

/** Only the agents are asked. A dump that was called may be about to freeze the source: until it is known to be resumed it counts as frozen. */
export async function observeWithoutApi(
  run: MoveRun,
): Promise<{ source: SourceState; copy: CopyState; images: ImagesState }> {
  const [source, target] = await Promise.all([
    wordOf(run, sourceOf(run.move).node, "source"),
    wordOf(run, targetOf(run.move).node, "target"),
  ]);
  return { source: frozenUnlessTold(source), copy: copyState(target), images: imagesState(target) };
}

function frozenUnlessTold(word: Word): SourceState {
  if (word === undefined) return "silent";
  if (word === "nothing") return "frozen";
  if (word.state === "resumed") return "running";
  return word.process === "ended" ? "ended" : "frozen";
}

/** What the agent on `node` says of this move; it is not waited for. */
export async function wordOf(
  run: MoveRun,
  node: string,
  role: MoveRecord["role"],
  silentMs = SILENT_MS,
): Promise<Word> {
  const ended = new AbortController();
  const asked = attempt(run.deps.driver.moves(node)).finally(() => ended.abort());
  asked.catch(() => {}); // awaited below unless the agent is silent
  await sleep(run.deps.clock, silentMs, ended.signal);
  const answer = ended.signal.aborted ? await asked : undefined;
  if (!answer?.ok) return undefined;
  const { moveUID } = moveId(run);
  return answer.value.find((one) => one.moveUID === moveUID && one.role === role) ?? "nothing";
}

async function sourceState(run: MoveRun, pod: Pod | undefined, word: Word): Promise<SourceState> {
  if (pod === undefined) return nodeState(await sourceNode(run), { ready: wasDisrupted(run.move) ? "ended" : "gone" });
  if (pod.metadata.deletionTimestamp !== undefined) return isDisrupted(pod) ? "disrupted" : "deleted";
  const { phase } = pod.status ?? {};
  if (phase === "Failed" || phase === "Succeeded") return "ended";
  const process = typeof word === "object" ? processOf(word) : undefined;
  if (process !== undefined) return process;
  const pinned = isPinned(pod, sourceOf(run.move).container.containerID);
  // Its agent may only be about to come back: what is frozen stays so without it.
  if (word === undefined) return nodeState(await sourceNode(run), { ready: pinned ? "frozen" : "restarted" });
  return pinned ? "running" : "restarted";
}

/** Its agent ends whatever the kubelet starts in place of a frozen container that has ended: so that does not come back. */
function processOf({ state, process }: MoveRecord): SourceState | undefined {
  return state === "resumed" ? "running" : process;
}

function sourceNode(run: MoveRun): Promise<Node | undefined> {
  return run.deps.client.get(NODES, { name: sourceOf(run.move).node });
}

/** A node that has left the cluster has taken its processes along. */
function nodeState(node: Node | undefined, { ready }: { ready: SourceState }): SourceState {
  if (node === undefined) return "ended";
  const condition = node.status?.conditions?.find(({ type }) => type === "Ready");
  return condition === undefined || condition.status === "True" ? ready : "silent";
}

/** An eviction, a preemption or a taint: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions */
function isDisrupted(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "DisruptionTarget" && status === "True") ?? false;
}

/** Condition: the source's pod was seen being evicted while it was frozen. Once it is gone, only this tells why. */
const DISRUPTED = "SourceDisrupted";

function wasDisrupted(move: Move): boolean {
  return move.status.conditions.some(({ type }) => type === DISRUPTED);
}

/** The condition to record; undefined when it is, or need not be. */
export function disruption(move: Move, source: SourceState, time: string): Condition | undefined {
  if (source !== "disrupted" || wasDisrupted(move)) return undefined;
  const message = "the source's pod is being evicted: the move goes on";
  return { type: DISRUPTED, status: "True", reason: "DisruptionTarget", message, lastTransitionTime: time };
}

/** Its kubelet is ending the copy, or has. */
function whyGone(target: Pod | undefined): Refusal | undefined {
  if (target === undefined || target.metadata.deletionTimestamp !== undefined)
    return { reason: "TargetPodGone", message: "the target pod was deleted" };
  const { phase, message } = target.status ?? {};
  if (phase !== "Failed" && phase !== "Succeeded") return undefined;
  return { reason: "TargetPodFailed", message: `the target pod ended: ${message ?? phase}` };
}

/** Reason of a roll-back after a freeze that was ended without the API server. */
export const STOOD_DOWN = "StoodDown";

/** Before the commit only a controller without the API server does that (./stand-down.ts). */
function whyRuledOut(word: Word): Refusal | undefined {
  if (typeof word !== "object" || word.state !== "aborted") return undefined;
  const message = "the API server was away while the pod was frozen: the copy was given up, and the source goes on";
  return { reason: STOOD_DOWN, message };
}

/** No `create` will ever be there for what is staged. That a released copy has run is still so. */
function copyWithoutPod(word: Word): { copy: CopyState; images: ImagesState } {
  const released = typeof word === "object" && word.state === "released";
  return { copy: released ? "released" : "dead", images: "gone" };
}

function copyState(word: Word): CopyState {
  if (word === undefined) return "silent";
  if (word === "nothing") return "none";
  if (word.state === "released") return "released";
  if (word.state === "aborted" || word.copyAlive === false) return "dead";
  if (word.state === "held") return "held";
  return word.createWaiting ? "waiting" : "none";
}

function imagesState(word: Word): ImagesState {
  if (word === undefined || word === "nothing") return "none";
  if (word.state === "aborted") return "gone";
  if (word.images !== undefined) return word.images;
  return word.state === "held" || word.state === "restoring" ? "whole" : "partial";
}
