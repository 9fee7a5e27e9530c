/** Preflight: everything that could fail is asked before anything is touched. A refusal ends the move with its reason. */
import { formatBytes, formatSeconds } from "../../../api/quantity.ts";
import { DRY_RUN, type FreezeStatus } from "../../../api/v1alpha1/pod-migration.ts";
import type { SourceContainer } from "../../../checkpointing/driver.ts";
import { KubeError } from "../../../kube/client.ts";
import { PODS, type Pod } from "../../../kube/resources.ts";
import { podObstacle } from "../../../planning/eligibility/pod-obstacles.ts";
import { type MoveSize, type StagedSize, stagingBytes } from "../../../planning/staging.ts";
import type { Refusal } from "../dependencies.ts";
import { type DriverFailure, inWords } from "../driver-failure.ts";
import { handOverOf } from "../hand-over/belongings.ts";
import { advance, type Outcome, type StatusChanges, wait } from "../outcome.ts";
import { plannedTarget } from "../pods.ts";
import { freezeRefusal, freezeStatus } from "../preflight/freeze-checks.ts";
import { askSource, askTarget, type SourceAnswers } from "../preflight/gather.ts";
import { runningContainer } from "../preflight/pod-facts.ts";
import { sourceRefusal } from "../preflight/source-checks.ts";
import { targetRefusal } from "../preflight/target-checks.ts";
import { type MoveRun, required } from "../run.ts";
import { enteredAtMs } from "../status.ts";
import { targetChange } from "../target-changes.ts";
import { targetPodName } from "../target-pod.ts";

/** An agent that doesn't answer is asked again until the phase's time is up. */
const RETRY_MS = 2_000;
/** An agent's pod that is being replaced: there is none for a moment. After that the node counts as one without an agent. */
const REPLACED_WITHIN_MS = 5_000;

export async function preflight(run: MoveRun): Promise<Outcome> {
  const { deps, move } = run;
  const { namespace } = move.metadata;
  const pod = await deps.client.get(PODS, { namespace, name: move.spec.podName });
  if (pod === undefined || pod.metadata.uid !== move.status.sourcePodUID) {
    return refused({ reason: "PodNotFound", message: `pod ${namespace}/${move.spec.podName} is gone` });
  }
  const obstacle = podObstacle(pod, { ownNamespace: deps.namespace });
  if (obstacle) return refused(obstacle);
  const container = runningContainer(pod);
  if (!container) return refused({ reason: "ContainerNotRunning", message: "its status names no running container" });
  return askNodes(run, pod, container);
}

async function askNodes(run: MoveRun, pod: Pod, container: SourceContainer): Promise<Outcome> {
  const node = required(run.move, "sourceNode", run.move.status.sourceNode);
  const source = await askSource(run.deps, node, container);
  if (!source.ok) return unanswered(run, source.failure);
  const refusal = sourceRefusal({ tcp: run.move.spec.tcp, ...source.value });
  return refusal ? refused(refusal) : chooseTarget(run, pod, container, source.value);
}

function unanswered({ deps, move }: MoveRun, failure: DriverFailure): Outcome {
  const sinceMs = enteredAtMs(move.status, "Preflight") ?? deps.clock.now();
  const hasNone = failure.reason === "NoAgent" && deps.clock.now() - sinceMs >= REPLACED_WITHIN_MS;
  if (failure.retryable && !hasNone) return wait(RETRY_MS, inWords(failure));
  const advice = hasNone ? ": see `headroom nodes`" : "";
  return refused({ reason: failure.reason, message: `${inWords(failure)}${advice}` });
}

async function chooseTarget(
  run: MoveRun,
  pod: Pod,
  container: SourceContainer,
  source: SourceAnswers,
): Promise<Outcome> {
  const { facts } = source;
  const { targetNode } = run.move.spec;
  const placed = await run.deps.choosePlacement({ pod, size: facts, targetNode });
  // The pod has just been read: placement looks at a store that lags behind, as after an outage of the API server.
  if (!placed.ok && placed.reason === "PodNotFound") return wait(RETRY_MS, placed.message);
  if (!placed.ok) return refused(placed);
  const from = required(run.move, "sourceNode", run.move.status.sourceNode);
  const expected = run.deps.expectFreeze({ from, to: placed.node, size: facts });
  const tooLong = freezeRefusal({ pod, expected, ...run.move.spec });
  if (tooLong) return refused(tooLong);
  const target = await askTarget(run.deps, placed.node);
  if (!target.ok) return unanswered(run, target.failure);
  const { kinds, confinedBy, innerConnections } = facts;
  const of = { kinds, confinedBy, innerConnections };
  const sides = { node: placed.node, pod, source: source.features, target: target.value, ...of };
  const sizes = { stagingBytes: stagingBytes(facts), diskFilesBytes: facts.filesBytes - facts.memoryFilesBytes };
  const refusal = targetRefusal({ ...sides, ...sizes }) ?? (await dryRun(run, pod, placed.node));
  if (refusal) return refused(refusal);
  const freeze = freezeStatus(pod, expected);
  if (run.move.spec.dryRun)
    return advance("Cancelled", DRY_RUN, couldGo(placed.node, facts, freeze), { targetNode: placed.node, freeze });
  return accepted(run, pod, container, facts, { targetNode: placed.node, freeze });
}

function couldGo(node: string, { memoryBytes }: MoveSize, { expectedMilliseconds }: FreezeStatus): string {
  return `to node ${node}, ${formatBytes(memoryBytes)} of memory: a freeze of about ${formatSeconds(expectedMilliseconds)}`;
}

/** Quota and admission, as the API server would judge the target pod, and what it would make of it. */
async function dryRun(run: MoveRun, pod: Pod, node: string): Promise<Refusal | undefined> {
  const copy = await plannedTarget(run, pod, node);
  try {
    return targetChange(copy, await run.deps.client.create(PODS, copy, { dryRun: true }));
  } catch (error) {
    if (!(error instanceof KubeError) || error.transient) throw error;
    return { reason: "TargetPodRefused", message: `the API server would not admit the target pod: ${error.message}` };
  }
}

function accepted(
  run: MoveRun,
  pod: Pod,
  container: SourceContainer,
  size: MoveSize & StagedSize,
  { targetNode, freeze }: { targetNode: string; freeze: FreezeStatus },
): Outcome {
  const { containerID, containerName: name } = container;
  const { memoryBytes, filesBytes, memoryFilesBytes } = size;
  const changes: StatusChanges = {
    targetNode,
    targetPodName: targetPodName(pod, run.move.metadata.uid),
    containers: [{ name, containerID, memoryBytes, filesBytes, memoryFilesBytes }],
    memory: formatBytes(memoryBytes),
    freeze,
    handOver: handOverOf(pod),
  };
  return advance("Preparing", "PreflightPassed", couldGo(targetNode, size, freeze), changes);
}

function refused({ reason, message }: Refusal): Outcome {
  return advance("Failed", reason, message);
}
