/**
 * What `helm uninstall` has done before it deletes the chart's objects: moves are brought to their end, the controller
 * and the agents are stopped, taints and finalizers are removed, every node is cleaned. Where a moved pod is alive, the
 * runtime handler stays (as a pass-through to runc), and so does the RuntimeClass; both are named.
 * Every step may be repeated.
 */
import { RUNTIME_CLASS } from "../api/v1alpha1/group.ts";
import { MIGRATION_POLICIES } from "../api/v1alpha1/migration-policy.ts";
import { POD_MIGRATIONS } from "../api/v1alpha1/pod-migration.ts";
import { NODE_REPORTS } from "../controllers/node-reports/report.ts";
import type { KubeClient, KubeObject, ResourceKind } from "../kube/client.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  type DaemonSet,
  DEPLOYMENTS,
  LEASES,
  NODES,
  type Node,
  PODS,
  type Pod,
  RUNTIME_CLASSES,
  SECRETS,
} from "../kube/resources.ts";
import { cleanUpPod } from "./clean-up-pod.ts";
import { edit } from "./edit.ts";
import {
  finalizersWithoutOurs,
  isReady,
  movedPodsByNode,
  nameOf,
  nodesOfAgents,
  taintsWithoutGate,
  unfinished,
} from "./steps.ts";

export interface UninstallOptions {
  client: KubeClient;
  clock: Clock;
  /** Headroom's own namespace. */
  namespace: string;
  /** For moves to end, and again for the nodes to be cleaned. */
  limitSeconds: number;
  /** A line for whoever uninstalls. */
  say: (line: string) => void;
}

const CONTROLLER = "headroom-controller";
const AGENTS = "headroom-agent";
const AGENT_PODS = "app.kubernetes.io/name=headroom,app.kubernetes.io/component=agent";
const CONTROLLER_PODS = "app.kubernetes.io/name=headroom,app.kubernetes.io/component=controller";
const CA = "headroom-ca";
const POLL_MILLISECONDS = 1_000;

/** Rejects when moves do not end: then the controller goes on and nothing has been removed. */
export async function uninstall(options: UninstallOptions): Promise<void> {
  await endMoves(options);
  await stopController(options);
  const sites = await agentSites(options);
  await stopAgents(options);
  await openGates(options);
  await removeFinalizers(options, MIGRATION_POLICIES);
  await removeFinalizers(options, POD_MIGRATIONS);
  const moved = movedPodsByNode((await options.client.list(PODS)).items);
  await cleanNodes(options, sites, moved);
  await removeClusterObjects(options, moved);
}

async function endMoves({ client, say, ...options }: UninstallOptions): Promise<void> {
  const pending = async () => unfinished((await client.list(POD_MIGRATIONS)).items);
  for (const move of await pending()) {
    say(`cancelling move ${nameOf(move)}; past its commit it is brought to its end`);
    await client.patch(POD_MIGRATIONS, move.metadata, { spec: { cancel: true } });
  }
  if (await until(options, async () => (await pending()).length === 0)) return;
  const names = (await pending()).map((move) => `${nameOf(move)} (${move.status?.phase ?? "Pending"})`);
  throw new Error(`not uninstalled: these moves have not ended: ${names.join(", ")}`);
}

async function stopController(options: UninstallOptions): Promise<void> {
  const { client, namespace } = options;
  const deployment = await client.get(DEPLOYMENTS, { namespace, name: CONTROLLER });
  if (!deployment) return;
  const scale = (replicas: number) => client.patch(DEPLOYMENTS, deployment.metadata, { spec: { replicas } });
  await scale(0);
  await gone(options, PODS, CONTROLLER_PODS);
  const started = unfinished((await client.list(POD_MIGRATIONS)).items);
  if (started.length === 0) return;
  await scale(deployment.spec?.replicas ?? 1);
  throw new Error(`not uninstalled: a policy has just started ${started.map(nameOf).join(", ")}; try again`);
}

interface Sites {
  agents: DaemonSet | undefined;
  nodes: Node[];
}

async function agentSites({ client, namespace }: UninstallOptions): Promise<Sites> {
  const agents = await client.get(DAEMON_SETS, { namespace, name: AGENTS });
  const pods = (await client.list(PODS, { namespace, labelSelector: AGENT_PODS })).items;
  const nodes = (await client.list(NODES)).items;
  return { agents, nodes: nodesOfAgents(nodes, agents, pods) };
}

/** No agent may put back what is about to be removed. */
async function stopAgents(options: UninstallOptions): Promise<void> {
  const { client, namespace } = options;
  await client.delete(DAEMON_SETS, { namespace, name: AGENTS }, { propagationPolicy: "Background" });
  await gone(options, PODS, AGENT_PODS);
}

async function openGates({ client, say }: UninstallOptions): Promise<void> {
  for (const node of (await client.list(NODES)).items) {
    const changed = await edit(client, NODES, node, (current) => {
      const taints = taintsWithoutGate(current);
      return taints && { spec: { taints } };
    });
    if (changed) say(`node ${node.metadata.name}: taint removed`);
  }
}

/** Policies and moves stay, as a record; without the controller nobody would let them be deleted later. */
async function removeFinalizers<T extends KubeObject>(
  { client }: UninstallOptions,
  kind: ResourceKind<T>,
): Promise<void> {
  for (const object of (await client.list(kind)).items) {
    await edit(client, kind, object, (current) => {
      const finalizers = finalizersWithoutOurs(current);
      return finalizers && { metadata: { finalizers } };
    });
  }
}

async function cleanNodes(options: UninstallOptions, sites: Sites, moved: Map<string, Pod[]>): Promise<void> {
  const { agents } = sites;
  if (!agents)
    return options.say(`DaemonSet ${AGENTS} is not there: the nodes were NOT cleaned; install again, then uninstall`);
  await Promise.all(
    sites.nodes.map(async (node) => {
      const { name } = node.metadata;
      const failure = isReady(node) ? await cleanNode(options, agents, name, moved.has(name)) : "it is not Ready";
      const kept = moved.has(name) ? `; runtime handler ${RUNTIME_CLASS} kept, as a pass-through to runc` : "";
      options.say(`node ${name}: ${failure === undefined ? "cleaned" : `NOT cleaned: ${failure}`}${kept}`);
    }),
  );
}

/** Why the node was not cleaned; undefined when it was. */
async function cleanNode(
  options: UninstallOptions,
  agents: DaemonSet,
  node: string,
  keepHandler: boolean,
): Promise<string | undefined> {
  const { client } = options;
  const pod = cleanUpPod(agents, node, keepHandler);
  await client.delete(PODS, pod.metadata, { gracePeriodSeconds: 0 });
  await until(options, async () => (await client.get(PODS, pod.metadata)) === undefined);
  await client.create(PODS, pod);
  let last: Pod | undefined;
  await until(options, async () => {
    last = await client.get(PODS, pod.metadata);
    return last?.status?.phase === "Succeeded" || last?.status?.phase === "Failed";
  });
  await client.delete(PODS, pod.metadata, { gracePeriodSeconds: 0 });
  return last?.status?.phase === "Succeeded" ? undefined : failureOf(last);
}

function failureOf(pod: Pod | undefined): string {
  const said = pod?.status?.containerStatuses?.[0]?.state?.terminated?.message?.trim();
  return said || `its clean-up pod did not end in time (${pod?.status?.phase ?? "gone"})`;
}

async function removeClusterObjects(options: UninstallOptions, moved: Map<string, Pod[]>): Promise<void> {
  const { client, namespace, say } = options;
  await client.delete(LEASES, { namespace, name: CONTROLLER });
  for (const name of [CA, NODE_REPORTS]) await client.delete(CONFIG_MAPS, { namespace, name });
  await client.delete(SECRETS, { namespace, name: CA });
  if (moved.size === 0) {
    await client.delete(RUNTIME_CLASSES, { name: RUNTIME_CLASS });
    return say(`no moved pod is alive: RuntimeClass ${RUNTIME_CLASS} removed`);
  }
  const alive = [...moved].flatMap(([node, pods]) => pods.map((pod) => `${nameOf(pod)} on ${node}`));
  say(`RuntimeClass ${RUNTIME_CLASS} kept: moved pods are alive: ${alive.join(", ")}`);
  say("Once they are gone, install and uninstall again to remove the rest.");
}

async function gone(options: UninstallOptions, kind: ResourceKind<Pod>, labelSelector: string): Promise<void> {
  const { client, namespace } = options;
  await until(options, async () => (await client.list(kind, { namespace, labelSelector })).items.length === 0);
}

/** True when `probe` came true within the limit. */
async function until(
  { clock, limitSeconds }: Pick<UninstallOptions, "clock" | "limitSeconds">,
  probe: () => Promise<boolean>,
): Promise<boolean> {
  const end = clock.now() + limitSeconds * 1000;
  for (;;) {
    if (await probe()) return true;
    if (clock.now() >= end) return false;
    await sleep(clock, POLL_MILLISECONDS);
  }
}
