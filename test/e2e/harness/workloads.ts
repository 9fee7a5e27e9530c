/** Pods, Deployments and Jobs of the workload image. */
import type { V1Affinity, V1Container, V1Deployment, V1Job, V1Pod } from "@kubernetes/client-node";
import type { Settings } from "../cluster/settings.ts";
import { WORKLOAD_IMAGE } from "../cluster/test-images.ts";
import { patient } from "../cluster/wait.ts";
import { WITNESS_PORT } from "./witness.ts";

export interface WorkloadOptions {
  /** Under which the witness knows it; also the pod's name where it is a bare pod. */
  name: string;
  startMiB: number;
  growthMiBPerSecond?: number;
  maxMiB?: number;
  /** Absolute paths, in its writable layer or in a volume: files that stay open and are appended to. */
  files?: string[];
  /** The same, but opened by their names, compared and written again each time. */
  counters?: string[];
  /** Folders that it fills with files when it starts. */
  trees?: Tree[];
  /** Files that it keeps open without a name. */
  unlinked?: Tree;
  /** Files that are there when it starts, and that it keeps open. */
  open?: string[];
  /** Sockets that it keeps and uses: kinds are in cluster/images/opened.c. */
  sockets?: string[];
  /** Folders that it watches (inotify). */
  watches?: string[];
  /** Processes that it forks, which share its memory and check it. */
  children?: number;
  /** HOST:PORT of a server that it stays connected to. */
  connectTo?: string;
  /** Gives up root for this user once it has started. */
  user?: number;
  /** Logs how its clocks and timers go on. */
  clocks?: boolean;
  /** A port on which it answers HTTP, for probes. */
  httpPort?: number;
  /** Where it starts; absent: the scheduler decides. */
  node?: string;
  labels?: Record<string, string>;
  /** Names of emptyDir volumes, mounted below /volumes. */
  emptyDirs?: string[];
  /** The same, of the medium Memory. */
  memoryDirs?: string[];
  container?: Partial<V1Container>;
  pod?: Partial<PodSpec>;
  /** Beside those of the above. */
  addedVolumes?: PodSpec["volumes"];
  image?: string;
}

/** `count` files of `bytes` each (a multiple of 8), whose content the program can tell from their numbers. */
export interface Tree {
  path: string;
  count: number;
  bytes: number;
}

export function treeArgument({ path, count, bytes }: Tree): string {
  return `${path}:${count}:${bytes}`;
}

type PodSpec = NonNullable<V1Pod["spec"]>;

function argumentsOf(settings: Settings, options: WorkloadOptions): string[] {
  const { startMiB, growthMiBPerSecond = 0, maxMiB = startMiB } = options;
  return [
    `--name=${options.name}`,
    `--witness=${settings.hostAddress}:${WITNESS_PORT}`,
    `--start=${startMiB}`,
    `--rate=${growthMiBPerSecond}`,
    `--max=${maxMiB}`,
    `--interval=${patient(10)}`,
    ...(options.files ?? []).map((file) => `--file=${file}`),
    ...(options.counters ?? []).map((file) => `--counter=${file}`),
    ...(options.trees ?? []).map((tree) => `--tree=${treeArgument(tree)}`),
    ...(options.unlinked ? [`--unlinked=${treeArgument(options.unlinked)}`] : []),
    ...(options.open ?? []).map((file) => `--open=${file}`),
    ...(options.sockets ?? []).map((kind) => `--socket=${kind}`),
    ...(options.watches ?? []).map((path) => `--watch=${path}`),
    ...(options.children ? [`--children=${options.children}`] : []),
    ...(options.httpPort ? [`--http=${options.httpPort}`] : []),
    ...(options.user ? [`--user=${options.user}`] : []),
    ...(options.clocks ? ["--clocks"] : []),
    ...(options.connectTo ? [`--connect=${options.connectTo}`] : []),
  ];
}

export function podSpec(settings: Settings, options: WorkloadOptions): PodSpec {
  const { emptyDirs = [], memoryDirs = [] } = options;
  const container: V1Container = {
    name: "worker",
    image: options.image ?? WORKLOAD_IMAGE,
    args: argumentsOf(settings, options),
    volumeMounts: [...emptyDirs, ...memoryDirs].map((name) => ({ name, mountPath: `/volumes/${name}` })),
    ...options.container,
  };
  return {
    terminationGracePeriodSeconds: 1,
    ...options.pod,
    containers: [container],
    volumes: [
      ...emptyDirs.map((name) => ({ name, emptyDir: {} })),
      ...memoryDirs.map((name) => ({ name, emptyDir: { medium: "Memory" } })),
      ...(options.addedVolumes ?? []),
    ],
    ...(options.node ? { affinity: affinityTo(options.node) } : {}),
  };
}

/**
 * A preference strong enough to win, so that the pod starts there but may be moved away: a pod that required its node could not be.
 */
function affinityTo(node: string): V1Affinity {
  const preference = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] };
  return { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] } };
}

function labelsOf(options: WorkloadOptions): Record<string, string> {
  return { app: options.name, ...options.labels };
}

export function barePod(settings: Settings, namespace: string, options: WorkloadOptions): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: options.name, namespace, labels: labelsOf(options) },
    spec: podSpec(settings, options),
  };
}

export function deployment(settings: Settings, namespace: string, options: WorkloadOptions): V1Deployment {
  const labels = labelsOf(options);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: options.name, namespace, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: options.name } },
      template: { metadata: { labels }, spec: podSpec(settings, options) },
    },
  };
}

/** A Job whose only pod may not fail once. */
export function job(settings: Settings, namespace: string, options: WorkloadOptions): V1Job {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: options.name, namespace, labels: labelsOf(options) },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: labelsOf(options) },
        spec: { ...podSpec(settings, options), restartPolicy: "Never" },
      },
    },
  };
}
