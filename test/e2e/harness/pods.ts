/** Pods as the tests start and look at them. */
import type { V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { podPath, podsPath } from "./api.ts";
import type { Context } from "./scenario.ts";
import { barePod, deployment, job, type WorkloadOptions } from "./workloads.ts";

/** A bare pod that runs and that the witness hears. */
export async function startPod(context: Context, options: WorkloadOptions): Promise<V1Pod> {
  const { api, cluster, namespace } = context;
  await api.create(podsPath(namespace), barePod(cluster.settings, namespace, options));
  return startedPod(context, options);
}

export async function startDeployment(context: Context, options: WorkloadOptions): Promise<V1Pod> {
  const { api, cluster, namespace } = context;
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  await api.create(path, deployment(cluster.settings, namespace, options));
  return startedPod(context, options);
}

export async function startJob(context: Context, options: WorkloadOptions): Promise<V1Pod> {
  const { api, cluster, namespace } = context;
  await api.create(`/apis/batch/v1/namespaces/${namespace}/jobs`, job(cluster.settings, namespace, options));
  return startedPod(context, options);
}

/** Until a workload has filled its trees of files, it is silent. */
const FILLING_SECONDS = 180;

async function startedPod(context: Context, options: WorkloadOptions): Promise<V1Pod> {
  const pod = await waitFor(`pod ${options.name} to run`, 60, async () => {
    const [found] = await podsOf(context, options.name);
    return found?.status?.phase === "Running" && found;
  });
  if (options.node && pod.spec?.nodeName !== options.node) {
    throw new Error(`pod ${pod.metadata?.name} was put on ${pod.spec?.nodeName}, not on ${options.node}`);
  }
  await context.witness.hears(options.name, 20, options.trees ? FILLING_SECONDS : 30);
  // A container whose first start failed speaks before its kubelet has told that it runs.
  await waitFor(`the kubelet to tell that ${options.name} runs`, 30, async () => {
    const [found] = await podsOf(context, options.name);
    return found?.status?.containerStatuses?.every(({ state }) => state?.running);
  });
  return pod;
}

/** The pods of a workload, that is with its label `app`. */
export function podsOf(context: Context, workload: string): Promise<V1Pod[]> {
  return context.api.list<V1Pod>(`${podsPath(context.namespace)}?labelSelector=app%3D${workload}`);
}

export function allPods(context: Context): Promise<V1Pod[]> {
  return context.api.list<V1Pod>(podsPath(context.namespace));
}

export function getPod(context: Context, name: string): Promise<V1Pod | undefined> {
  return context.api.get<V1Pod>(podPath(context.namespace, name));
}

export function isReady(pod: V1Pod): boolean {
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}
