/**
 * Deletes the source pod and ends its frozen tasks. The order matters: a kubelet that hasn't seen the deletion would answer
 * the tasks' end by starting the container anew, and there would be two.
 */
import { KubeError } from "../../../kube/client.ts";
import { NODES, type Pod } from "../../../kube/resources.ts";
import { attempt, inWords } from "../driver-failure.ts";
import { deletePod, readSource } from "../pods.ts";
import { type MoveRun, moveId, sourceOf } from "../run.ts";
import type { Delay } from "./hand-over.ts";

const POLL_MS = 100;
const RETRY_MS = 1_000;
/** Where a kubelet can't be asked, it is given this long after the grace to see the deletion. */
const UNASKED_MS = 5_000;

/** Undefined when the source is deleted and none of its tasks is left. */
export async function removeSource(run: MoveRun): Promise<Delay | undefined> {
  const { node, container } = sourceOf(run.move);
  const source = await readSource(run);
  if (source) await deletePod(run.deps.client, source);
  if (source && !(await kubeletKnows(run, node)))
    return nodeIsGone(run, node, "its kubelet to see the deletion", POLL_MS);
  const killed = await attempt(run.deps.driver.kill(node, moveId(run), container));
  if (killed.ok || killed.failure.reason === "SourceGone") return undefined;
  return nodeIsGone(run, node, inWords(killed.failure), RETRY_MS);
}

/** A node that has left the cluster takes its frozen tasks with it. */
async function nodeIsGone(run: MoveRun, node: string, what: string, afterMs: number): Promise<Delay | undefined> {
  const there = (await run.deps.client.get(NODES, { name: node })) !== undefined;
  return there ? { afterMs, message: `the copy runs; waiting for the source's node ${node}: ${what}` } : undefined;
}

/** The kubelet's own list of pods, through the API server. */
async function kubeletKnows(run: MoveRun, node: string): Promise<boolean> {
  const source = await readSource(run);
  if (source === undefined) return true;
  try {
    return seenDeleted(await run.deps.client.getRaw(`/api/v1/nodes/${node}/proxy/pods`), source);
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return !error.transient && sinceDeletionMs(run, source) > UNASKED_MS;
  }
}

/** True when the kubelet's list has this pod as deleted, or not at all. */
function seenDeleted(list: unknown, source: Pod): boolean {
  const items =
    typeof list === "object" && list !== null && "items" in list && Array.isArray(list.items) ? list.items : [];
  // A PodList, as the kubelet answers; only two members are read.
  const pods = items as { metadata?: { uid?: string; deletionTimestamp?: string } }[];
  const found = pods.find((pod) => pod.metadata?.uid === source.metadata.uid);
  return found === undefined || found.metadata?.deletionTimestamp !== undefined;
}

/** The deletionTimestamp is the end of the grace. */
function sinceDeletionMs(run: MoveRun, source: Pod): number {
  const until = source.metadata.deletionTimestamp;
  return until === undefined ? 0 : run.deps.clock.now() - Date.parse(String(until));
}
