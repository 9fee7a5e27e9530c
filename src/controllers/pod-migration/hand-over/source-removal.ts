/**
 * Deletes the source pod and sees its frozen tasks end. The agent kills all of them but the container's init, which is left to the
 * kubelet: that ends it once it has seen the deletion, and before would answer its end by starting the container anew.
 */
import { NODES } from "../../../kube/resources.ts";
import { attempt, inWords } from "../driver-failure.ts";
import { deletePod, readSource } from "../pods.ts";
import { type MoveRun, moveId, sourceOf } from "../run.ts";
import type { Delay } from "./hand-over.ts";

/** The agent itself waits a while for the kubelet. */
const RETRY_MS = 250;

/** Undefined when the source is deleted and none of its tasks is left. */
export async function removeSource(run: MoveRun): Promise<Delay | undefined> {
  const { node, container } = sourceOf(run.move);
  const source = await readSource(run);
  if (source) await deletePod(run.deps.client, source);
  const killed = await attempt(run.deps.driver.kill(node, moveId(run), container));
  if (killed.ok || killed.failure.reason === "SourceGone") return undefined;
  // A node that has left the cluster takes its frozen tasks with it.
  if ((await run.deps.client.get(NODES, { name: node })) === undefined) return undefined;
  return {
    afterMs: RETRY_MS,
    message: `the copy runs; waiting for the source's node ${node}: ${inWords(killed.failure)}`,
  };
}
