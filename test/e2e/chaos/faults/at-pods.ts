/** What people and Kubernetes do to pods, their owners and namespaces while they are moved. */
import type { V1Pod } from "@kubernetes/client-node";
import { ApiError, migrationPath, podPath, podsPath } from "../../harness/api.ts";
import { killNextHeldWorkload, killWaitingCreate } from "../../harness/faults.ts";
import type { Aim, Fault, Strike } from "../fault.ts";
import { isAlive } from "../workload.ts";

/** One that needs nothing looked up beforehand, and is over at once. */
function atOnce(
  id: string,
  about: string,
  more: Partial<Fault>,
  act: (aim: Aim) => Promise<Strike | undefined>,
): Fault {
  return { id, about, seconds: [0, 0], ...more, prepare: async (aim) => () => act(aim) };
}

const path = ({ namespace, podName }: Aim): string => podPath(namespace, podName);

async function deleted(aim: Aim): Promise<Strike> {
  await aim.scene.api.delete(path(aim));
  return {};
}

async function forceDeleted(aim: Aim): Promise<Strike> {
  await aim.scene.api.delete(path(aim), { gracePeriodSeconds: 0 });
  return {};
}

async function evict(aim: Aim, namespace: string, name: string): Promise<void> {
  await aim.scene.api
    .create(`${podPath(namespace, name)}/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name, namespace },
    })
    .catch((error: unknown) => {
      if (!(error instanceof ApiError && [404, 429].includes(error.status))) throw error; // gone, or not now
    });
}

async function evicted(aim: Aim): Promise<Strike> {
  await evict(aim, aim.namespace, aim.podName);
  return {};
}

const PRIORITY = "chaos-first";

/** A pod of a higher priority that shall be on the source's node and bears no pod of this workload beside it. */
async function preempted({ scene: { api }, namespace, workload, source }: Aim): Promise<Strike> {
  const clash = { labelSelector: { matchLabels: { app: workload } }, topologyKey: "kubernetes.io/hostname" };
  const there = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [source.node.name] }] };
  const name = `first-${Date.now()}`;
  await api.create(podsPath(namespace), {
    metadata: { name },
    spec: {
      priorityClassName: PRIORITY,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "idle", image: "headroom.test/workload:1", args: ["--start=1"] }],
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [clash] },
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [there] } },
      },
    },
  });
  return { undo: () => api.delete(podPath(namespace, name), { gracePeriodSeconds: 0 }) };
}

async function priorityClass({ scene: { api } }: Aim): Promise<void> {
  await api
    .create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name: PRIORITY }, value: 1000 })
    .catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    });
}

/** As `kubectl drain` does: no new pods, and every pod but those of DaemonSets is evicted. */
async function drained(aim: Aim): Promise<Strike> {
  const { scene, source } = aim;
  const node = `/api/v1/nodes/${source.node.name}`;
  await scene.api.patch(node, { spec: { unschedulable: true } });
  const pods = await scene.api.list<V1Pod>(`/api/v1/pods?fieldSelector=spec.nodeName%3D${source.node.name}`);
  const evictable = pods.filter((pod) => isAlive(pod) && pod.metadata?.ownerReferences?.[0]?.kind !== "DaemonSet");
  await Promise.all(evictable.map(({ metadata }) => evict(aim, metadata?.namespace ?? "", metadata?.name ?? "")));
  return {
    undo: async () => void (await scene.api.patch(node, { spec: { unschedulable: null } })),
    alsoEnds: evictable.flatMap(({ metadata }) => metadata?.labels?.app ?? []),
  };
}

const deploymentPath = ({ namespace, workload }: Aim): string =>
  `/apis/apps/v1/namespaces/${namespace}/deployments/${workload}`;

async function scaledDown(aim: Aim): Promise<Strike> {
  const scale = (replicas: number): Promise<unknown> =>
    aim.scene.api.patch(deploymentPath(aim), { spec: { replicas } });
  await scale(0);
  return { undo: async () => void (await scale(1)) };
}

async function rolledOut(aim: Aim): Promise<Strike> {
  const annotations = { "chaos/rolled-out": `${Date.now()}` };
  await aim.scene.api.patch(deploymentPath(aim), { spec: { template: { metadata: { annotations } } } });
  return {};
}

async function namespaceDeleted({ scene, namespace }: Aim): Promise<Strike> {
  await scene.api.delete(`/api/v1/namespaces/${namespace}`);
  return {};
}

async function cancelled({ scene, namespace, move }: Aim): Promise<Strike> {
  await scene.api.patch(migrationPath(namespace, move), { spec: { cancel: true } });
  return {};
}

/** A restored container that has not been let go. */
async function copyKilled({ scene, namespace, move, target }: Aim): Promise<Strike | undefined> {
  const podUID = scene.moves.get(namespace, move)?.latest.status?.targetPodUID;
  return podUID && (await killNextHeldWorkload(target, 2, podUID)) ? {} : undefined;
}

async function secondCreate({ target }: Aim): Promise<Strike | undefined> {
  return (await killWaitingCreate(target)) === undefined ? undefined : {};
}

export const NAMESPACE_DELETED = "the namespace was deleted";
const OWNER = { cell: "the owner wanted it gone", by: "deletion", of: "all" } as const;

export const atPods: readonly Fault[] = [
  atOnce(
    "pod-deleted",
    "the pod is deleted",
    { ends: { cell: "the pod was deleted", by: "deletion", of: "source" } },
    deleted,
  ),
  atOnce(
    "pod-force-deleted",
    "the pod is deleted by force",
    { ends: { cell: "the pod was deleted", by: "deletion", of: "source" } },
    forceDeleted,
  ),
  atOnce(
    "pod-evicted",
    "the pod is evicted",
    { ends: { cell: "evicted before there was a copy", by: "disruption", of: "source" } },
    evicted,
  ),
  {
    ...atOnce(
      "pod-preempted",
      "the pod is preempted",
      { ends: { cell: "preempted before there was a copy", by: "disruption", of: "source" } },
      preempted,
    ),
    seconds: [3, 10],
    prepare: async (aim) => {
      await priorityClass(aim);
      return () => preempted(aim);
    },
  },
  {
    ...atOnce(
      "node-drained",
      "the source's node is drained",
      { ends: { cell: "evicted before there was a copy", by: "disruption", of: "source" } },
      drained,
    ),
    seconds: [5, 15],
  },
  {
    ...atOnce("owner-scaled-down", "its Deployment is scaled to none", { ends: OWNER }, scaledDown),
    kinds: ["Deployment"],
    seconds: [3, 10],
  },
  atOnce("owner-rolled-out", "its Deployment is rolled out", { kinds: ["Deployment"], ends: OWNER }, rolledOut),
  atOnce(
    "namespace-deleted",
    "its namespace is deleted",
    { ends: { cell: NAMESPACE_DELETED, by: "deletion", of: "all" } },
    namespaceDeleted,
  ),
  atOnce("cancelled", "the move is cancelled", {}, cancelled),
  atOnce(
    "copy-killed",
    "the copy is killed before it is let go",
    { phases: ["Restoring", "Committed"], ends: { cell: "the copy was killed", by: "kill", of: "copy" } },
    copyKilled,
  ),
  atOnce(
    "second-create",
    "the create that waits on the target is killed",
    { phases: ["Preparing", "Frozen", "Restoring"] },
    secondCreate,
  ),
];
