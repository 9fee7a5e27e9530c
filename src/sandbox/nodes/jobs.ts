/** The Job controller, as far as a move can tell it from the real one: it counts by finalizer and looks once a second. */
import { ApiError } from "../api-server/errors.ts";
import { type ApiObject, arrayAt, type JsonObject, numberAt, objectAt, stringAt } from "../api-server/json.ts";
import type { Registry } from "../api-server/registry.ts";
import type { ResourceType, ResourceTypes } from "../api-server/resource-types.ts";
import { claimPods, controllerOf, createPod, isActive } from "./owners.ts";

export const JOB_TRACKING = "batch.kubernetes.io/job-tracking";

/** A pod that ended, or is deleted while it still belongs to the Job, counts as succeeded or failed. */
export function syncJob(registry: Registry, types: ResourceTypes, job: ApiObject): void {
  const pods = types.find("", "v1", "pods");
  const type = types.find("batch", "v1", "jobs");
  if (!pods || !type || job.metadata.deletionTimestamp || isOver(job)) return;
  const owned = claimPods(registry, pods, job);
  const uncounted = owned.filter((pod) => !isActive(pod) && tracked(pod));
  const succeeded = (numberAt(job, "status", "succeeded") ?? 0) + uncounted.filter(hasSucceeded).length;
  const failed = (numberAt(job, "status", "failed") ?? 0) + uncounted.filter((pod) => !hasSucceeded(pod)).length;
  for (const pod of uncounted) release(registry, pods, pod);
  const over = outcome(job, succeeded, failed);
  const active = owned.filter(isActive).length;
  const left = (numberAt(job, "spec", "completions") ?? 1) - succeeded;
  const wanted = over ? 0 : Math.min(numberAt(job, "spec", "parallelism") ?? 1, left);
  for (let missing = active; missing < wanted; missing++) createPod(registry, pods, job, [JOB_TRACKING]);
  report(registry, type, job, { active: Math.max(active, wanted), succeeded, failed }, over);
}

/** A tracked pod whose Job is gone, or that no Job owns, is tracked no more. */
export function releaseOrphans(registry: Registry, types: ResourceTypes): void {
  const pods = types.find("", "v1", "pods");
  if (!pods) return;
  for (const pod of registry.store.list("pods").filter(tracked)) {
    const owner = controllerOf(pod);
    const job = owner && registry.store.get("jobs.batch", pod.metadata.namespace, owner.name);
    if (job?.metadata.uid !== owner?.uid || owner === undefined) release(registry, pods, pod);
  }
}

const tracked = (pod: ApiObject): boolean => (pod.metadata.finalizers ?? []).includes(JOB_TRACKING);
const hasSucceeded = (pod: ApiObject): boolean => stringAt(pod, "status", "phase") === "Succeeded";

const isOver = (job: ApiObject): boolean =>
  arrayAt(job, "status", "conditions").some(
    (condition) =>
      ["Complete", "Failed"].includes(stringAt(condition, "type") ?? "") && stringAt(condition, "status") === "True",
  );

function outcome(job: ApiObject, succeeded: number, failed: number): "Complete" | "Failed" | undefined {
  if (succeeded >= (numberAt(job, "spec", "completions") ?? 1)) return "Complete";
  return failed > (numberAt(job, "spec", "backoffLimit") ?? 6) ? "Failed" : undefined;
}

function release(registry: Registry, type: ResourceType, pod: ApiObject): void {
  const { namespace, name } = pod.metadata;
  try {
    registry.patch({ type, namespace, name }, (object) => {
      const finalizers = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== JOB_TRACKING);
      return { ...object, metadata: { ...object.metadata, finalizers } };
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}

function report(
  registry: Registry,
  type: ResourceType,
  job: ApiObject,
  counts: JsonObject,
  over: string | undefined,
): void {
  const { namespace, name } = job.metadata;
  const time = registry.time();
  const condition = {
    type: over ?? "",
    status: "True",
    lastTransitionTime: time,
    reason: over === "Failed" ? "BackoffLimitExceeded" : "",
  };
  const status = {
    startTime: time,
    ...objectAt(job, "status"),
    ...counts,
    ...(over ? { conditions: [condition], ...(over === "Complete" ? { completionTime: time } : {}) } : {}),
  };
  registry.patch({ type, namespace, name }, (object) => ({ ...object, status }), { subresource: "status" });
}
