/** Headroom itself: installed with Helm from the repository's chart, in an image made from its Dockerfile. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import type { NodeView } from "../../../src/cli/nodes/inspect.ts";
import { type Cluster, kubectl } from "../cluster/cluster.ts";
import { attempt, run } from "../cluster/command.ts";
import { influxOutput } from "../cluster/influxdb.ts";
import { AGENT_REPOSITORY, buildOperatorImages, OPERATOR_REPOSITORY, OPERATOR_TAG } from "../cluster/operator-image.ts";
import type { Settings } from "../cluster/settings.ts";
import { importImages } from "../cluster/test-images.ts";
import { patient, waitFor } from "../cluster/wait.ts";
import { type Api, ApiError } from "./api.ts";

export const HEADROOM_NAMESPACE = "headroom-system";
const CHART = new URL("../../../helm/headroom", import.meta.url).pathname;
const FAILPOINT = new URL("./failpoint.mjs", import.meta.url).pathname;
const CLOCK = new URL("./clock.mjs", import.meta.url).pathname;
/** Where the tests' preloads lie in the image. */
export const FAILPOINT_IN_IMAGE = "/failpoint.mjs";
export const CLOCK_IN_IMAGE = "/clock.mjs";
const RELEASE = "headroom";
const SECRET = "influxdb-token";

/** Values for the chart, merged over what every test needs. */
export type HelmValues = Record<string, unknown>;

let built: Promise<string[]> | undefined;

/** Builds them once, however many clusters this process brings up. */
export async function importOperatorImages(cluster: Cluster, say: (line: string) => void): Promise<void> {
  const images = await operatorImages(cluster.settings, say);
  const lacking = cluster.machines.filter(({ node }) => !(node.isVirtual && cluster.hasImages));
  await Promise.all(lacking.map((machine) => importImages(machine, images)));
}

/** Their archives. */
export function operatorImages(settings: Settings, say: (line: string) => void): Promise<string[]> {
  built ??= buildOnce(settings, say);
  return built.catch((error: unknown) => {
    built = undefined;
    throw error;
  });
}

async function buildOnce(settings: Settings, say: (line: string) => void): Promise<string[]> {
  const images = await buildOperatorImages(settings, say, { [FAILPOINT_IN_IMAGE]: FAILPOINT, [CLOCK_IN_IMAGE]: CLOCK });
  process.once("exit", () => {
    for (const image of images) rmSync(image, { force: true });
  });
  return images;
}

function baseValues(cluster: Cluster): HelmValues {
  const { url, org, bucket } = influxOutput(cluster.settings);
  const control = cluster.machines.find(({ node }) => node.kind === "control");
  return {
    ...(control ? { controller: onlyOn(control.node.name) } : {}),
    image: { repository: OPERATOR_REPOSITORY, tag: OPERATOR_TAG },
    agent: {
      image: { repository: AGENT_REPOSITORY },
      rollOut: { share: "100%" },
      ...(control ? { readinessProbe: { periodSeconds: 30, timeoutSeconds: 30 } } : {}),
    },
    logLevel: "debug",
    influxdb: { url, org, bucket, existingSecret: SECRET },
  };
}

const onlyOn = (node: string): HelmValues => ({
  nodeSelector: { "kubernetes.io/hostname": node },
  tolerations: [{ operator: "Exists" }],
});

export function helm(cluster: Cluster, args: readonly string[], input?: string): Promise<string> {
  const environment = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  return run(join(cluster.programs.tools, "helm"), ["--namespace", HEADROOM_NAMESPACE, ...args], {
    timeoutSeconds: 300,
    env: environment,
    ...(input === undefined ? {} : { input }),
  });
}

/** Installs, or changes the values of what is installed; resolves when controller and agents are ready. */
export async function installHeadroom(cluster: Cluster, api: Api, values: HelmValues = {}): Promise<void> {
  await applyChart(cluster, api, values);
  await waitForHeadroom(cluster);
}

/** As installHeadroom, without waiting. */
export async function applyChart(cluster: Cluster, api: Api, values: HelmValues = {}): Promise<void> {
  await ensureTokenSecret(cluster, api);
  const merged = JSON.stringify(merge(baseValues(cluster), values)); // JSON is YAML
  await helm(cluster, ["upgrade", "--install", RELEASE, CHART, "--values", "-"], merged);
}

const PROGRAM = new URL("../../../scripts/headroom.js", import.meta.url).pathname;

/** What `headroom nodes` shows. */
export async function headroomNodes(cluster: Cluster): Promise<NodeView[]> {
  const text = await run(process.execPath, [PROGRAM, "nodes", "-o", "json", "--kubeconfig", cluster.kubeconfig]);
  return (JSON.parse(text) as { nodes: NodeView[] }).nodes;
}

async function ensureTokenSecret(cluster: Cluster, api: Api): Promise<void> {
  const ignoreExisting = (error: unknown): void => {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  };
  await api.create("/api/v1/namespaces", { metadata: { name: HEADROOM_NAMESPACE } }).catch(ignoreExisting);
  const stringData = { token: influxOutput(cluster.settings).token };
  await api
    .create(`/api/v1/namespaces/${HEADROOM_NAMESPACE}/secrets`, { metadata: { name: SECRET }, stringData })
    .catch(ignoreExisting);
}

/** Without those that are being deleted. */
export async function headroomPods(api: Api, component: "agent" | "controller"): Promise<V1Pod[]> {
  const selector = `labelSelector=app.kubernetes.io%2Fcomponent%3D${component}`;
  const pods = await api.list<V1Pod>(`/api/v1/namespaces/${HEADROOM_NAMESPACE}/pods?${selector}`);
  return pods.filter(({ metadata }) => !metadata?.deletionTimestamp);
}

/** The leading controller's pod. After a start or a change of leader it takes some seconds until there is one. */
export async function leadingController(api: Api): Promise<V1Pod | undefined> {
  const lease = await api.get<{ spec?: { holderIdentity?: string } }>(LEASE);
  const holder = lease?.spec?.holderIdentity ?? ""; // a pod's name with something after it
  return (await headroomPods(api, "controller")).find(({ metadata }) => holder.startsWith(metadata?.name ?? "?"));
}
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${HEADROOM_NAMESPACE}/leases/headroom-controller`;

/** The node's path of what is /tmp in such a pod's container, and outlives the container. */
export function temporaryFolder(pod: V1Pod): string {
  return `/var/lib/kubelet/pods/${pod.metadata?.uid}/volumes/kubernetes.io~empty-dir/tmp`;
}

export async function waitForHeadroom(cluster: Cluster, limit = 120): Promise<void> {
  const limitSeconds = patient(limit);
  const rollout = ["--namespace", HEADROOM_NAMESPACE, "rollout", "status", `--timeout=${limitSeconds}s`];
  for (const workload of ["deployment/headroom-controller", "daemonset/headroom-agent"]) {
    await kubectl(cluster, [...rollout, workload, "--request-timeout=0"], { timeoutSeconds: limitSeconds + 10 });
  }
}

/** Answers what Helm said, with what the chart's hook said: that names what stays. */
export async function uninstallHeadroom(cluster: Cluster): Promise<string> {
  const args = ["--namespace", HEADROOM_NAMESPACE, "uninstall", RELEASE, "--wait", "--timeout", "250s"];
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const { code, stdout, stderr } = await attempt(join(cluster.programs.tools, "helm"), args, {
    timeoutSeconds: 300,
    env,
  });
  const said = `${stderr}\n${stdout}`.replaceAll("\\n", "\n"); // Helm logs the hook's lines as one
  if (code !== 0) throw new Error(`helm uninstall: ${said}`);
  await waitFor("Headroom's pods to be gone", 60, async () => {
    const pods = await kubectl(cluster, ["-n", HEADROOM_NAMESPACE, "get", "pods", "-o", "name"]);
    return pods.trim() === "";
  });
  return said;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merge(base: HelmValues, over: HelmValues): HelmValues {
  const merged: HelmValues = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isRecord(below) && isRecord(value) ? merge(below, value) : value;
  }
  return merged;
}
