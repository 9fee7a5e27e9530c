/**
 * Where one instance of the test cluster lives: its folder, cgroup, bridge, addresses and ports. All of it follows from the
 * instance number alone, so that leftovers of a killed run can be found and removed without any record of it.
 */
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const DEFAULT_KUBERNETES = "1.35.8";

/**
 * What a node is made of: namespaces, or an emulated machine with a kernel of its own. Beside virtual ones there is one of namespaces for what controls the
 * cluster, that is Headroom's controllers; it takes no other pods.
 */
export type NodeKind = "namespaces" | "virtual" | "control";
export const CONTROL_TAINT = "node-role.kubernetes.io/control-plane";

export interface NodeSettings {
  /** Also the Kubernetes node's name. */
  name: string;
  /** From 1; part of the node's addresses. */
  index: number;
  memoryMiB: number;
  /** On the cluster's bridge. */
  address: string;
  podSubnet: string;
  networkNamespace: string;
  /** Host side of the node's virtual cable. */
  interfaceName: string;
  /** Has the next Debian's containerd and runc, so that moves cross versions: every second node. */
  newerRuntime: boolean;
  kind: NodeKind;
  isVirtual: boolean;
}

export interface Settings {
  instance: number;
  /** Such as 1.35.8: of the control plane, the nodes and kubectl. */
  kubernetesVersion: string;
  /** Everything that this instance writes. */
  folder: string;
  /** What is built from package registries, shared by all instances. */
  cacheFolder: string;
  /** Below each cgroup controller's root. */
  cgroup: string;
  bridge: string;
  /** The host on the bridge: API server, InfluxDB and the witness listen here. */
  hostAddress: string;
  prefixLength: 16;
  nodeSubnet: string;
  podSubnet: string;
  serviceSubnet: string;
  /** First address of the service subnet. */
  apiServiceAddress: string;
  apiPort: number;
  etcdPort: number;
  etcdPeerPort: number;
  influxPort: number;
}

export function instanceFrom(environment: NodeJS.ProcessEnv): number {
  const text = environment.HEADROOM_E2E_INSTANCE ?? "0";
  if (!/^[0-9]$/.test(text)) throw new Error(`HEADROOM_E2E_INSTANCE must be a digit from 0 to 9, not "${text}"`);
  return Number(text);
}

export function settingsFor(instance: number, environment: NodeJS.ProcessEnv): Settings {
  const cache = environment.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return {
    instance,
    kubernetesVersion: DEFAULT_KUBERNETES,
    folder: join(environment.HEADROOM_E2E_FOLDER ?? join(tmpdir(), "headroom-e2e"), `instance-${instance}`),
    cacheFolder: join(cache, "headroom-e2e"),
    cgroup: `headroom-e2e-${instance}`,
    bridge: `hre${instance}`,
    hostAddress: `10.${180 + instance}.0.1`,
    prefixLength: 16,
    nodeSubnet: `10.${180 + instance}.0.0/16`,
    podSubnet: `10.${190 + instance}.0.0/16`,
    serviceSubnet: `10.${200 + instance}.0.0/16`,
    apiServiceAddress: `10.${200 + instance}.0.1`,
    apiPort: 6443,
    etcdPort: 23790 + 2 * instance,
    etcdPeerPort: 23791 + 2 * instance,
    influxPort: 8086,
  };
}

/** 35 for 1.35.8. */
export function kubernetesMinor({ kubernetesVersion }: Settings): number {
  return Number(kubernetesVersion.split(".")[1]);
}

/** Node `n<index>` of an instance. */
export function nodeSettings(settings: Settings, index: number, memoryMiB: number, kind: NodeKind): NodeSettings {
  return {
    name: `n${index}`,
    index,
    memoryMiB,
    address: `10.${180 + settings.instance}.1.${index}`,
    podSubnet: `10.${190 + settings.instance}.${index}.0/24`,
    networkNamespace: `${settings.bridge}-n${index}`,
    interfaceName: `${settings.bridge}n${index}`,
    newerRuntime: index % 2 === 0,
    kind,
    isVirtual: kind === "virtual",
  };
}
