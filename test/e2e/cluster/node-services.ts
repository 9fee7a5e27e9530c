/** What runs on every node: containerd, kubelet, kube-proxy and Telegraf, with their configuration. */
import { readFile } from "node:fs/promises";
import type { Credentials } from "./credentials.ts";
import { kubeletSubject } from "./credentials.ts";
import type { Machine } from "./machine.ts";
import { CONTROL_TAINT, kubernetesMinor, type NodeSettings, type Settings } from "./settings.ts";
import { waitFor } from "./wait.ts";

export const PAUSE_IMAGE = "headroom.test/pause:1";

export interface KubeletOptions {
  /** How long the kubelet waits for a container to be created; its own default is 2m. */
  runtimeRequestTimeout?: string;
}

export async function startContainerd(machine: Machine): Promise<void> {
  await machine.write(
    "/etc/containerd/config.toml",
    machine.node.newerRuntime ? newerContainerdConfig(machine.node) : containerdConfig(machine.node),
  );
  await machine.write("/etc/cni/net.d/10-pods.conflist", podNetwork(machine.node));
  await runContainerd(machine);
}

async function runContainerd(machine: Machine): Promise<void> {
  await machine.startService("containerd", ["containerd"]);
  await waitFor(`containerd on ${machine.node.name}`, 30, async () => {
    const answer = await machine.attempt(["ctr", "version"], { timeoutSeconds: 5 });
    return answer.code === 0;
  });
}

export async function startKubelet(
  machine: Machine,
  credentials: Credentials,
  settings: Settings,
  options: KubeletOptions,
): Promise<void> {
  const { node } = machine;
  const serving = await credentials.issue({ commonName: node.name, names: [node.name], addresses: [node.address] });
  await machine.write("/etc/kubernetes/kubelet.crt", serving.certificate);
  await machine.write("/etc/kubernetes/kubelet.key", serving.key, 0o600);
  await machine.write("/etc/kubernetes/ca.crt", await readFile(credentials.authority, "utf8"));
  await machine.write("/etc/kubernetes/kubelet.kubeconfig", await credentials.kubeconfig(kubeletSubject(node)), 0o600);
  await machine.write("/etc/kubernetes/kubelet.yaml", kubeletConfig(node, settings, options));
  await runKubelet(machine);
}

function runKubelet(machine: Machine): Promise<void> {
  const { name, address } = machine.node;
  return machine.startService("kubelet", [
    "kubelet",
    "--config=/etc/kubernetes/kubelet.yaml",
    "--kubeconfig=/etc/kubernetes/kubelet.kubeconfig",
    `--hostname-override=${name}`,
    `--node-ip=${address}`,
  ]);
}

export async function startKubeProxy(machine: Machine, credentials: Credentials, settings: Settings): Promise<void> {
  const kubeconfig = await credentials.kubeconfig({ commonName: "system:kube-proxy" });
  await machine.write("/etc/kubernetes/kube-proxy.kubeconfig", kubeconfig, 0o600);
  await machine.write("/etc/kubernetes/kube-proxy.yaml", proxyConfig(machine.node, settings));
  await runKubeProxy(machine);
}

function runKubeProxy(machine: Machine): Promise<void> {
  return machine.startService("kube-proxy", ["kube-proxy", "--config=/etc/kubernetes/kube-proxy.yaml"]);
}

/** `token` is a service account's that may read the kubelet's figures. */
export async function startTelegraf(machine: Machine, output: TelegrafOutput, token: string): Promise<void> {
  await machine.write("/etc/telegraf/token", token, 0o600);
  await machine.write("/etc/telegraf/telegraf.conf", telegrafConfig(machine.node, output), 0o600);
  await runTelegraf(machine);
}

function runTelegraf(machine: Machine): Promise<void> {
  return machine.startService("telegraf", ["telegraf", "--config", "/etc/telegraf/telegraf.conf"]);
}

/** Starts everything on a machine that was booted again, with the files that it has on its disk. */
export async function startServicesAgain(machine: Machine): Promise<void> {
  await runContainerd(machine);
  await runKubelet(machine);
  await runKubeProxy(machine);
  await runTelegraf(machine);
}

export interface TelegrafOutput {
  url: string;
  token: string;
  org: string;
  bucket: string;
}

/** On a node made of namespaces, in the notation of containerd's configuration; a virtual machine has all that containerd expects. */
const LACKING = `  restrict_oom_score_adj = true
  disable_apparmor = true
`;

/** A virtual machine's init is systemd. */
const systemdDriver = (plugin: string): string =>
  `      [plugins."${plugin}".containerd.runtimes.runc.options]\n        SystemdCgroup = true\n`;

function containerdConfig({ isVirtual }: NodeSettings): string {
  return `version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
${isVirtual ? "" : LACKING}  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
${isVirtual ? systemdDriver("io.containerd.grpc.v1.cri") : ""}`;
}

/** The same in the notation of containerd 2. */
function newerContainerdConfig({ isVirtual }: NodeSettings): string {
  return `version = 3

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
${isVirtual ? "" : LACKING}  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
${isVirtual ? systemdDriver("io.containerd.cri.v1.runtime") : ""}`;
}

function podNetwork(node: NodeSettings): string {
  const addresses = { type: "host-local", ranges: [[{ subnet: node.podSubnet }]], routes: [{ dst: "0.0.0.0/0" }] };
  const bridge = { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: false, ipam: addresses };
  return JSON.stringify({ cniVersion: "1.0.0", name: "pods", plugins: [bridge, { type: "loopback" }] });
}

/**
 * No eviction by memory: on these nodes it is the kernel that kills, as it does when memory grows faster than the kubelet looks. Images are never
 * removed for want of disk: there is no registry to pull them from again.
 */
function kubeletConfig(node: NodeSettings, settings: Settings, options: KubeletOptions): string {
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    ...(kubernetesMinor(settings) >= 31 ? { failCgroupV1: false } : {}),
    cgroupDriver: node.isVirtual ? "systemd" : "cgroupfs",
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: "/etc/kubernetes/ca.crt" },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: "/etc/kubernetes/kubelet.crt",
    tlsPrivateKeyFile: "/etc/kubernetes/kubelet.key",
    evictionHard: { "memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%" },
    imageGCHighThresholdPercent: 100,
    ...(node.kind === "control" ? { registerWithTaints: [{ key: CONTROL_TAINT, effect: "NoSchedule" }] } : {}),
    nodeStatusUpdateFrequency: "5s",
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    cpuCFSQuota: false,
    resolvConf: "",
    clusterDNS: [],
    ...(options.runtimeRequestTimeout ? { runtimeRequestTimeout: options.runtimeRequestTimeout } : {}),
  });
}

function proxyConfig(node: NodeSettings, settings: Settings): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    ...(kubernetesMinor(settings) < 31 ? { featureGates: { NFTablesProxyMode: true } } : {}),
    clientConnection: { kubeconfig: "/etc/kubernetes/kube-proxy.kubeconfig" },
    hostnameOverride: node.name,
    clusterCIDR: settings.podSubnet,
    conntrack: { maxPerCore: 0 },
  });
}

/** No inputs.mem: it would report this node's /proc/meminfo, which stands still. */
function telegrafConfig(node: NodeSettings, output: TelegrafOutput): string {
  return `[agent]
  interval = "${node.isVirtual ? 15 : 5}s"
  flush_interval = "2s"
  hostname = "${node.name}"

[[inputs.kubernetes]]
  url = "https://${node.address}:10250"
  bearer_token = "/etc/telegraf/token"
  tls_ca = "/etc/kubernetes/ca.crt"

[[outputs.influxdb_v2]]
  urls = ["${output.url}"]
  token = "${output.token}"
  organization = "${output.org}"
  bucket = "${output.bucket}"
`;
}
