/** The whole cluster: brought up, taken down, or found again when an earlier command left it up. */
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bootVirtualMachine, startVirtualMachine, VirtualMachine } from "../vm/virtual-machine.ts";
import { createCgroup, destroyCgroup } from "./cgroups.ts";
import { type RunOptions, run } from "./command.ts";
import { startControlPlane } from "./control-plane.ts";
import { Credentials } from "./credentials.ts";
import { influxOutput, setUpInfluxdb, startInfluxdb } from "./influxdb.ts";
import { bootAgain, Machine, startMachine } from "./machine.ts";
import { createBridge, removeNetwork } from "./network.ts";
import {
  type KubeletOptions,
  startContainerd,
  startKubelet,
  startKubeProxy,
  startServicesAgain,
  startTelegraf,
} from "./node-services.ts";
import { type Programs, programs } from "./programs.ts";
import { CONTROL_TAINT, type NodeKind, nodeSettings, type Settings } from "./settings.ts";
import { buildTestImages, importImages, type TestImages } from "./test-images.ts";
import { bePatient, waitFor } from "./wait.ts";

export interface ClusterOptions {
  /** One worker node per entry. */
  nodeMemoryMiB: readonly number[];
  kubelet: KubeletOptions;
  /** How many files each node's disk can hold, so that it is soon full; one with Headroom has some 14,000. */
  diskInodes?: number;
  /** The nodes are virtual machines. */
  virtual?: boolean;
  /** Archives of images that they have from the start; the nodes made of namespaces get them later. */
  images?: readonly string[];
}

export interface Cluster {
  settings: Settings;
  programs: Programs;
  /** Path of the administrator's kubeconfig. */
  kubeconfig: string;
  machines: Machine[];
  /** The nodes were given Headroom's images when they were made. */
  hasImages?: boolean;
}

type Say = (line: string) => void;

const CONTROL_NODE_MIB = 1024;
const RBAC_FILE = new URL("./manifests/rbac.yaml", import.meta.url).pathname;

/** Resolves when every node is Ready and measured. On failure everything is taken down again; the logs are kept. */
export async function up(settings: Settings, options: ClusterOptions, say: Say): Promise<Cluster> {
  const built = await programs(settings, say);
  await down(settings, say);
  try {
    return await start(settings, options, built, say);
  } catch (error) {
    say(`the cluster did not come up; logs are in ${await keepLogs(settings)}`);
    await down(settings, say);
    throw error;
  }
}

async function start(settings: Settings, options: ClusterOptions, built: Programs, say: Say): Promise<Cluster> {
  await mkdir(settings.folder, { recursive: true, mode: 0o700 });
  await createBridge(settings);
  const credentials = await Credentials.create(settings);
  const images = await buildTestImages(settings, built, say);
  say("starting the control plane and InfluxDB");
  const [{ kubeconfig }] = await Promise.all([
    startControlPlane({ settings, programs: built, credentials }),
    startInfluxdb(settings, built).then(() => setUpInfluxdb(settings)),
  ]);
  const hasImages = (options.images ?? []).length > 0;
  const cluster: Cluster = { settings, programs: built, kubeconfig, machines: [], hasImages };
  await kubectl(cluster, ["apply", "-f", RBAC_FILE]);
  await createCgroup(settings.cgroup);
  const { virtual = false } = options;
  bePatient(virtual);
  const kind = virtual ? "virtual" : "namespaces";
  const nodes = options.nodeMemoryMiB.map((memoryMiB, at) => nodeSettings(settings, at + 1, memoryMiB, kind));
  if (virtual) nodes.push(nodeSettings(settings, nodes.length + 1, CONTROL_NODE_MIB, "control"));
  for (const node of nodes) {
    say(`starting node ${node.name} (${node.memoryMiB} MiB${node.isVirtual ? ", a virtual machine" : ""})`);
    const started = node.isVirtual
      ? startVirtualMachine(settings, node, built, [images.pause, images.workload, ...(options.images ?? [])], say)
      : startMachine(settings, node, built, options.diskInodes);
    cluster.machines.push(await started);
  }
  const token = await telegrafToken(cluster);
  await Promise.all(
    cluster.machines.map((machine) => startNode(cluster, machine, credentials, images, options.kubelet, token)),
  );
  await save(cluster);
  return cluster;
}

async function startNode(
  cluster: Cluster,
  machine: Machine,
  credentials: Credentials,
  images: TestImages,
  kubelet: KubeletOptions,
  telegrafToken: string,
): Promise<void> {
  await startContainerd(machine);
  if (!machine.node.isVirtual) await importImages(machine, [images.pause, images.workload]);
  await startKubelet(machine, credentials, cluster.settings, kubelet);
  await startKubeProxy(machine, credentials, cluster.settings);
  await nodeTakesPods(cluster, machine, 60);
  await startTelegraf(machine, influxOutput(cluster.settings), telegrafToken);
}

/** Resolves when the node is Ready and its kubelet has said so since the given time, and no taint but a cordon keeps pods away. */
async function nodeTakesPods(
  cluster: Cluster,
  machine: Machine,
  limitSeconds: number,
  since = new Date(0),
): Promise<void> {
  const { name } = machine.node;
  const ready = '{.status.conditions[?(@.type=="Ready")]';
  const shown = `${ready}.status} ${ready}.lastHeartbeatTime} {.spec.taints[*].key}`;
  await waitFor(`node ${name} to be Ready and to take pods`, limitSeconds, async () => {
    const answer = await kubectl(cluster, ["get", "node", name, "-o", `jsonpath=${shown}`]);
    const [status, heartbeat = "", ...taints] = answer.trim().split(" ");
    const takesPods = taints.every((taint) => taint === "node.kubernetes.io/unschedulable" || taint === CONTROL_TAINT);
    return status === "True" && Date.parse(heartbeat) >= since.getTime() && takesPods;
  });
}

/** Brings back a machine that `killMachine` has ended: the same disk, the same services. Resolves when its node is Ready. */
export async function startMachineAgain(cluster: Cluster, machine: Machine): Promise<void> {
  const since = new Date();
  since.setMilliseconds(1000); // the kubelet tells whole seconds: not one from before
  if (machine instanceof VirtualMachine) await bootVirtualMachine(cluster.settings, machine, cluster.programs);
  else await bootAgain(cluster.settings, machine, cluster.programs);
  await save(cluster);
  // A virtual machine's systemd starts them by itself.
  if (!machine.node.isVirtual) await startServicesAgain(machine);
  await nodeTakesPods(cluster, machine, 120, since);
}

async function telegrafToken(cluster: Cluster): Promise<string> {
  const request = ["create", "token", "telegraf", "--namespace=kube-system", "--duration=24h"];
  return waitFor("a token for Telegraf", 30, () => kubectl(cluster, request));
}

/** Rejects an unknown name with those that there are. */
export function machineOf({ machines }: Cluster, name: string): Machine {
  const found = machines.find(({ node }) => node.name === name);
  if (!found) throw new Error(`no node ${name}; there are ${machines.map(({ node }) => node.name).join(", ")}`);
  return found;
}

/** Runs kubectl as the cluster's administrator. */
export function kubectl(cluster: Cluster, args: readonly string[], options?: RunOptions): Promise<string> {
  const program = join(cluster.programs.kubernetes, "kubectl");
  return run(program, ["--kubeconfig", cluster.kubeconfig, "--request-timeout=20s", ...args], {
    timeoutSeconds: 30,
    ...options,
  });
}

/** Removes every trace of the instance, also of one that was killed. */
export async function down(settings: Settings, say: Say): Promise<void> {
  if (existsSync(settings.folder)) say(`taking instance ${settings.instance} down`);
  await destroyCgroup(settings.cgroup);
  await removeNetwork(settings);
  await rm(settings.folder, { recursive: true, force: true });
}

/** Copies the logs out of the instance's folder; the answer is where they are. */
export async function keepLogs(settings: Settings): Promise<string> {
  const kept = `${settings.folder}-logs-${new Date().toISOString().replaceAll(":", "")}`;
  await mkdir(kept, { recursive: true });
  await cp(join(settings.folder, "logs"), kept, { recursive: true }).catch(() => undefined); // nothing was started yet
  for (const machine of (await saved(settings))?.machines ?? []) {
    await machine.collectLogs(join(kept, machine.node.name));
  }
  return kept;
}

interface SavedCluster {
  kubernetesVersion: string;
  programs: Programs;
  kubeconfig: string;
  machines: { index: number; memoryMiB: number; kind: NodeKind; pid: number }[];
}

async function save(cluster: Cluster): Promise<void> {
  const content: SavedCluster = {
    kubernetesVersion: cluster.settings.kubernetesVersion,
    programs: cluster.programs,
    kubeconfig: cluster.kubeconfig,
    machines: cluster.machines.map(({ node: { index, memoryMiB, kind }, pid }) => ({ index, memoryMiB, kind, pid })),
  };
  await writeFile(join(cluster.settings.folder, "cluster.json"), JSON.stringify(content));
}

/** The instance that an earlier `up` left running, if any. */
export async function saved(instance: Settings): Promise<Cluster | undefined> {
  const file = join(instance.folder, "cluster.json");
  if (!existsSync(file)) return undefined;
  // This program wrote it.
  const content = JSON.parse(await readFile(file, "utf8")) as SavedCluster;
  const settings = { ...instance, kubernetesVersion: content.kubernetesVersion };
  const machines = content.machines.map(({ index, memoryMiB, kind, pid }) => {
    const node = nodeSettings(settings, index, memoryMiB, kind);
    return new (node.isVirtual ? VirtualMachine : Machine)(settings, node, content.programs, pid);
  });
  bePatient(machines.some(({ node }) => node.isVirtual));
  return { settings, programs: content.programs, kubeconfig: content.kubeconfig, machines };
}
