/**
 * Clears up what no running move does any more: records on nodes that were cut off when their move ended, or whose PodMigration
 * was torn out of the API by force, and target pods that a former leader created too late.
 */
import { MOVE_LABEL, REGISTERING_GATE, RUNTIME_CLASS } from "../../api/v1alpha1/group.ts";
import { POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { DriverError, type MoveId, type SourceContainer } from "../../checkpointing/driver.ts";
import type { Controller, ControllerContext, Term } from "../../kube/controller.ts";
import { NODES, PODS, type Pod } from "../../kube/resources.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { attempt, inWords } from "./driver-failure.ts";
import { type FoundRecord, type LeftoverStep, stepsFor, verdictOn } from "./leftover-verdict.ts";
import { deletePod } from "./pods.ts";
import { isEnded, runningContainer } from "./preflight/pod-facts.ts";
import { targetSuffix } from "./target-pod.ts";

const SWEEP_EVERY_MS = 60_000;

type SweepDependencies = Pick<MoveDependencies, "client" | "driver" | "logger">;

export function leftoversController(context: ControllerContext, driver: MoveDependencies["driver"]): Controller {
  const { client, logger } = context;
  return {
    name: "move-leftovers",
    watches: [],
    initialKeys: [{ name: "all" }],
    concurrency: 1,
    async reconcile(_key, term) {
      await sweepLeftovers({ client, driver, logger }, term);
      return { requeueAfterMs: SWEEP_EVERY_MS };
    },
  };
}

/** Looks once; what can't be cleared up now is found again the next time. */
export async function sweepLeftovers(deps: SweepDependencies, term: Term): Promise<void> {
  const [{ records, silentNodes }, pods] = await Promise.all([recordsOfAllNodes(deps), targetPods(deps)]);
  if (records.length === 0 && pods.length === 0) return;
  // Listed last: whatever record or pod was found has its move in this list, unless that is really gone.
  const moves = (await deps.client.list(POD_MIGRATIONS)).items;
  for (const moveUID of new Set([...records.map((record) => record.moveUID), ...pods.map(moveOf)])) {
    if (term.signal.aborted) return;
    const move = moves.find(({ metadata }) => metadata.uid === moveUID);
    const own = records.filter((record) => record.moveUID === moveUID);
    const verdict = verdictOn(move, own, silentNodes);
    const sweep = { deps, id: { moveUID, epoch: term.epoch, signal: term.signal }, move };
    await takeSteps(sweep, stepsFor(verdict, own, move !== undefined));
    const late = verdict === "undone" ? pods.filter((pod) => moveOf(pod) === moveUID && neverRan(pod, own, move)) : [];
    for (const pod of late) await deletePod(deps.client, pod);
  }
}

/**
 * With a target's record the pod goes once its agent has confirmed that the copy was never released. Without one it may have been
 * released and cleaned up long ago: so the move itself must say that it was undone, or the gate that nothing was ever started.
 */
function neverRan(pod: Pod, own: FoundRecord[], move: PodMigration | undefined): boolean {
  if (own.some((record) => record.role === "target")) return false;
  return move !== undefined || isGated(pod);
}

interface Sweep {
  deps: SweepDependencies;
  id: MoveId;
  move: PodMigration | undefined;
}

async function takeSteps(sweep: Sweep, steps: LeftoverStep[]): Promise<void> {
  for (const step of steps) {
    const result = await attempt(take(sweep, step));
    const done = result.ok && result.value;
    const fields = { moveUID: sweep.id.moveUID, node: step.record.node, step: step.do };
    if (done) sweep.deps.logger.info("cleared up after a move", fields);
    else
      sweep.deps.logger.warn("a move's leftovers stay for now", {
        ...fields,
        ...(result.ok ? {} : { error: inWords(result.failure) }),
      });
    if (!done) return;
  }
}

/** False when it must be waited for. */
async function take({ deps, id, move }: Sweep, { do: step, record }: LeftoverStep): Promise<boolean> {
  const { node } = record;
  if (step === "abort") await deps.driver.abort(node, id);
  if (step === "remove-target") return removeTarget(deps, id, record);
  if (step === "cleanup-target") await deps.driver.cleanup(node, "target", id);
  if (step === "cleanup-source") await deps.driver.cleanup(node, "source", id);
  if (step === "resume") await resume(deps, id, record, move);
  if (step === "end-source") return endSource(deps, id, record, move);
  return true;
}

/** The bar against a cold start goes with the record: so only when no kubelet can know the pod as one to be started. */
async function removeTarget(deps: SweepDependencies, id: MoveId, record: FoundRecord): Promise<boolean> {
  const pod = await podOf(deps, record.podUID);
  if (pod) {
    await deletePod(deps.client, pod);
    return false;
  }
  await deps.driver.cleanup(record.node, "target", id);
  return true;
}

async function resume(deps: SweepDependencies, id: MoveId, record: FoundRecord, move: PodMigration | undefined) {
  const pod = await podOf(deps, record.podUID);
  await deps.driver.resume(record.node, id, containerOf(record, move, pod)).catch(unlessGone);
}

/**
 * The pod first: its kubelet ends the container's init once it has seen that. The record stays until the pod is gone from the API: its
 * agent keeps a kubelet that has not seen the deletion from starting it cold.
 */
async function endSource(
  deps: SweepDependencies,
  id: MoveId,
  record: FoundRecord,
  move: PodMigration | undefined,
): Promise<boolean> {
  const pod = await podOf(deps, record.podUID);
  if (pod) await deletePod(deps.client, pod);
  await deps.driver.kill(record.node, id, containerOf(record, move, pod)).catch(unlessGone);
  return pod === undefined || isEnded(pod);
}

function unlessGone(error: unknown): void {
  if (!(error instanceof DriverError && error.reason === "SourceGone")) throw error;
}

async function podOf(deps: SweepDependencies, uid: string): Promise<Pod | undefined> {
  return (await deps.client.list(PODS)).items.find((pod) => pod.metadata.uid === uid);
}

/** By the move's status, else by the pod's, else by the agent's record. */
function containerOf(record: FoundRecord, move: PodMigration | undefined, pod: Pod | undefined): SourceContainer {
  const [pinned] = move?.status?.containers ?? [];
  if (pinned?.containerID !== undefined) {
    return { podUID: record.podUID, containerID: pinned.containerID, containerName: pinned.name };
  }
  const running = pod && runningContainer(pod);
  return running ?? { podUID: record.podUID, containerID: record.containerID ?? "", containerName: "" };
}

async function recordsOfAllNodes(
  deps: SweepDependencies,
): Promise<{ records: FoundRecord[]; silentNodes: ReadonlySet<string> }> {
  const { items } = await deps.client.list(NODES);
  const names = items.map(({ metadata }) => metadata.name);
  const answers = await Promise.allSettled(names.map((node) => recordsOf(deps, node)));
  return {
    records: answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])),
    silentNodes: new Set(names.filter((_, index) => answers[index]?.status === "rejected")),
  };
}

async function recordsOf(deps: SweepDependencies, node: string): Promise<FoundRecord[]> {
  return (await deps.driver.moves(node)).map((record) => ({ ...record, node }));
}

async function targetPods(deps: SweepDependencies): Promise<Pod[]> {
  return (await deps.client.list(PODS, { labelSelector: MOVE_LABEL })).items.filter(isTargetPod);
}

/** A label anybody may write; a pod that Headroom made for that move has its name, and its gate or runtime class, too. */
function isTargetPod(pod: Pod): boolean {
  const marked = isGated(pod) || pod.spec.runtimeClassName === RUNTIME_CLASS;
  return marked && moveOf(pod) !== "" && pod.metadata.name.endsWith(targetSuffix(moveOf(pod)));
}

function isGated(pod: Pod): boolean {
  return pod.spec.schedulingGates?.some((gate) => gate.name === REGISTERING_GATE) ?? false;
}

function moveOf(pod: Pod): string {
  return pod.metadata.labels?.[MOVE_LABEL] ?? "";
}
