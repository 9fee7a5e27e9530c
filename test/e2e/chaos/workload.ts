/** The workloads of a seed, and their pods. */
import type { V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { type Api, ApiError, podsPath } from "../harness/api.ts";
import { barePod, deployment, job, type WorkloadOptions } from "../harness/workloads.ts";
import type { Placed, Scene } from "./scene.ts";
import type { Chain } from "./schedule.ts";

const PORT = 8080;
const PROBES = {
  readinessProbe: { httpGet: { port: PORT }, periodSeconds: 2 },
  livenessProbe: { httpGet: { port: PORT } }, // every 10 s, three times, as it is by default
};

function optionsOf({ name }: Placed, { startMiB, isProbed, keepsOpen }: Chain): WorkloadOptions {
  return {
    name,
    startMiB,
    emptyDirs: ["scratch"],
    files: keepsOpen ? ["/data/log", "/volumes/scratch/log"] : [],
    trees: [{ path: "/data/tree", count: 200, bytes: 4096 }],
    counters: ["/data/count", "/volumes/scratch/count"],
    httpPort: PORT,
    container: isProbed ? PROBES : {},
  };
}

/** Resolves when the witness hears it. What is made while the API server is away is asked for again. */
export async function startWorkload(scene: Scene, placed: Placed, chain: Chain): Promise<void> {
  const { api, cluster, witness, timeline } = scene;
  const { name, namespace } = placed;
  const options = optionsOf(placed, chain);
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await made(api, "/api/v1/namespaces", { metadata: { name: namespace } });
  await waitFor(`the service account of ${namespace}`, 60, () => api.get(account));
  if (chain.kind === "Pod") await made(api, podsPath(namespace), barePod(cluster.settings, namespace, options));
  if (chain.kind === "Job")
    await made(api, `/apis/batch/v1/namespaces/${namespace}/jobs`, job(cluster.settings, namespace, options));
  if (chain.kind === "Deployment") {
    const selector = { app: name };
    await made(api, `/api/v1/namespaces/${namespace}/services`, {
      metadata: { name },
      spec: { selector, ports: [{ port: PORT }] },
    });
    const owner = deployment(cluster.settings, namespace, options);
    await made(api, `/apis/apps/v1/namespaces/${namespace}/deployments`, {
      ...owner,
      spec: { ...owner.spec, strategy: { type: "Recreate" } }, // two at once only where the test brings it about
    });
  }
  const probed = chain.isProbed ? "with probes" : "without probes";
  timeline.add(name, `a ${chain.kind} of ${chain.startMiB} MiB ${probed} is started`);
  await witness.hears(name, 20, 120);
}

async function made(api: Api, path: string, object: unknown): Promise<void> {
  await waitFor(`an object at ${path} to be made`, 240, async () => {
    await api.create(path, object).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    });
    return true;
  });
}

export function isAlive(pod: V1Pod): boolean {
  return !pod.metadata?.deletionTimestamp && !["Succeeded", "Failed"].includes(pod.status?.phase ?? "");
}

/** Its running pod, or the one that its owner starts in its place; undefined when there is none any more. */
export function livePod(scene: Scene, { name, namespace }: Placed): Promise<V1Pod | undefined> {
  const find = async (): Promise<V1Pod | "none" | undefined> => {
    const pods = await scene.api.list<V1Pod>(podsPath(namespace));
    const alive = pods.filter((pod) => isAlive(pod) && pod.metadata?.labels?.app === name);
    const running = alive.find((pod) => pod.status?.containerStatuses?.[0]?.state?.running);
    if (running && alive.length === 1) return running;
    return alive.length === 0 && !(await hasOwner(scene, namespace)) ? "none" : undefined;
  };
  return waitFor(`one running pod of ${name}`, 60, find)
    .then((found) => (found === "none" ? undefined : found))
    .catch(() => undefined); // a Job that has failed, a Deployment of no replicas: a new workload takes its turn
}

async function hasOwner({ api }: Scene, namespace: string): Promise<boolean> {
  const deployments = await api.list<{ spec: { replicas?: number } }>(
    `/apis/apps/v1/namespaces/${namespace}/deployments`,
  );
  const jobs = await api.list<{ status?: { failed?: number } }>(`/apis/batch/v1/namespaces/${namespace}/jobs`);
  return deployments.some(({ spec }) => spec.replicas !== 0) || jobs.some(({ status }) => !status?.failed);
}
