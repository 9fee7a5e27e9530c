/**
 * Clears up what no running move does any more: records on nodes that were cut off when their move ended, or whose PodMigration
 * was torn out of the API by force, and target pods that a former leader created too late.
 */
import { MOVE_LABEL } from "../../api/v1alpha1/group.ts";
import { POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { DriverError, type MoveId, type SourceContainer } from "../../checkpointing/driver.ts";
import type { Controller, ControllerContext, Term } from "../../kube/controller.ts";
import { NODES, PODS, type Pod } from "../../kube/resources.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { attempt, inWords } from "./driver-failure.ts";
import { type FoundRecord, type LeftoverStep, stepsFor, verdictOn } from "./leftover-verdict.ts";
import { deletePod } from "./pods.ts";
import { runningContainer } from "./preflight/pod-facts.ts";

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
  const [{ records, allAnswered }, pods] = await Promise.all([recordsOfAllNodes(deps), targetPods(deps)]);
  if (records.length === 0 && pods.length === 0) return;
  // Listed last: whatever record or pod was found has its move in this list, unless that is really gone.
  const moves = (await deps.client.list(POD_MIGRATIONS)).items;
  for (const moveUID of new Set([...records.map((record) => record.moveUID), ...pods.map(moveOf)])) {
    if (term.signal.aborted) return;
    const move = moves.find(({ metadata }) => metadata.uid === moveUID);
    const own = records.filter((record) => record.moveUID === moveUID);
    const verdict = verdictOn(move, own, allAnswered);
    const sweep = { deps, id: { moveUID, epoch: term.epoch }, move };
    await takeSteps(sweep, stepsFor(verdict, own, move !== undefined));
    if (verdict === "undone") for (const pod of pods) if (moveOf(pod) === moveUID) await deletePod(deps.client, pod);
  }
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
  return step === "end-source" ? endSource(deps, id, record, move) : true;
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

/** The pod first, the tasks at the next look: by then its kubelet knows that they are not to be started again. */
async function endSource(deps: SweepDependencies, id: MoveId, record: FoundRecord, move: PodMigration | undefined) {
  const pod = await podOf(deps, record.podUID);
  if (pod && pod.metadata.deletionTimestamp === undefined) {
    await deletePod(deps.client, pod);
    return false;
  }
  await deps.driver.kill(record.node, id, containerOf(record, move, pod)).catch(unlessGone);
  return true;
}

function unlessGone(error: unknown): void {
  if (!(error instanceof DriverError && error.reason === "SourceGone")) throw error;
}

async function podOf(deps: SweepDependencies, uid: string): Promise<Pod | undefined> {
  return (await deps.client.list(PODS)).items.find((pod) => pod.metadata.uid === uid);
}

/** By the move's status, else by the pod's; with neither the agent goes by the pod's UID. */
function containerOf(record: FoundRecord, move: PodMigration | undefined, pod: Pod | undefined): SourceContainer {
  const [pinned] = move?.status?.containers ?? [];
  if (pinned?.containerID !== undefined) {
    return { podUID: record.podUID, containerID: pinned.containerID, containerName: pinned.name };
  }
  const running = pod && runningContainer(pod);
  return running ?? { podUID: record.podUID, containerID: "", containerName: "" };
}

async function recordsOfAllNodes(deps: SweepDependencies): Promise<{ records: FoundRecord[]; allAnswered: boolean }> {
  const { items } = await deps.client.list(NODES);
  const answers = await Promise.allSettled(items.map(({ metadata }) => recordsOf(deps, metadata.name)));
  const records = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  return {
    records,
    allAnswered: answers.every((answer) => answer.status === "fulfilled" || hasNoAgent(answer.reason)),
  };
}

async function recordsOf(deps: SweepDependencies, node: string): Promise<FoundRecord[]> {
  return (await deps.driver.moves(node)).map((record) => ({ ...record, node }));
}

/** A node that never had an agent holds nothing of ours. */
function hasNoAgent(error: unknown): boolean {
  return error instanceof DriverError && error.reason === "NoAgent";
}

async function targetPods(deps: SweepDependencies): Promise<Pod[]> {
  return (await deps.client.list(PODS, { labelSelector: MOVE_LABEL })).items.filter((pod) => moveOf(pod) !== "");
}

function moveOf(pod: Pod): string {
  return pod.metadata.labels?.[MOVE_LABEL] ?? "";
}
