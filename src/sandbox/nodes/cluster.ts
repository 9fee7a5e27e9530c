/** The simulated cluster: nodes with kubelets, a scheduler and the workload controllers, around the in-memory API. */
import type { Clock } from "../../kube/clock.ts";
import { ApiError } from "../api-server/errors.ts";
import type { Json } from "../api-server/json.ts";
import type { SandboxApiServer } from "../api-server/server.ts";
import { releaseOrphans, syncJob } from "./jobs.ts";
import { KUBELET_TIMING, type KubeletTiming, type OomKill, SimulatedKubelet } from "./kubelet.ts";
import { Links } from "./links.ts";
import { SimulatedNode } from "./node.ts";
import { NodeLifecycle } from "./node-lifecycle.ts";
import { syncDeployment, syncReplicaSet } from "./replica-sets.ts";
import { Scheduler } from "./scheduler.ts";
import { podList, summary } from "./summary.ts";
import { Witness } from "./witness.ts";

export interface NodeSpec {
  name: string;
  capacityBytes: number;
  /** What the system itself uses. */
  systemBytes?: number;
  labels?: Record<string, string>;
}

export interface ClusterOptions {
  server: SandboxApiServer;
  clock: Clock;
  nodes: NodeSpec[];
  timing?: Partial<KubeletTiming>;
  /** How often memory, exits, probes and silent nodes are looked at. */
  tickMs?: number;
  /** Bytes per second from node to node. */
  bandwidth?: number;
}

const BANDWIDTH = 1.2e9;
/** The runtime wrapper's limit: below the kubelet's. */
const HOLD_MS = 110_000;

const JOB_SYNC_MS = 1_000;

export class SimulatedCluster {
  readonly server: SandboxApiServer;
  readonly witness = new Witness();
  readonly nodes = new Map<string, SimulatedNode>();
  readonly oomKills: OomKill[] = [];
  readonly links: Links;
  readonly #kubelets = new Map<string, SimulatedKubelet>();
  readonly #clock: Clock;
  readonly #ends: (() => void)[] = [];
  readonly #waiting = new Set<string>();
  #stopped = false;
  #podIPs = 0;

  constructor(options: ClusterOptions) {
    this.server = options.server;
    this.#clock = options.clock;
    this.links = new Links(options.clock, options.bandwidth ?? BANDWIDTH);
    const { registry, types, backends } = options.server;
    const pods = types.find("", "v1", "pods");
    const nodes = types.find("", "v1", "nodes");
    if (!pods || !nodes) throw new Error("the API server knows no pods or nodes");
    for (const spec of options.nodes) this.#addNode(spec, options);
    backends.podLog = (namespace, name) => this.#log(`${namespace}/${name}`);
    backends.nodeProxy = (node, path) => this.#proxy(node, path);
    this.#ends.push(new Scheduler(registry, pods, this.#clock).start(), this.#startControllers());
    for (const kubelet of this.#kubelets.values()) this.#ends.push(kubelet.start());
    const isOnline = (name: string) => this.kubelet(name).online;
    const lifecycle = new NodeLifecycle({ registry, nodes, pods, clock: this.#clock, isOnline });
    this.#tick(options.tickMs ?? 50, lifecycle);
  }

  kubelet(name: string): SimulatedKubelet {
    const kubelet = this.#kubelets.get(name);
    if (!kubelet) throw new Error(`there is no node ${name}`);
    return kubelet;
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }

  stop(): void {
    this.#stopped = true;
    for (const end of this.#ends) end();
  }

  #addNode(spec: NodeSpec, options: ClusterOptions): void {
    const { registry, types } = this.server;
    const pods = types.find("", "v1", "pods");
    if (!pods) return;
    const node = new SimulatedNode({
      name: spec.name,
      capacityBytes: spec.capacityBytes,
      systemBytes: spec.systemBytes ?? 0,
      clock: this.#clock,
      holdMs: HOLD_MS,
      onProcessChange: this.witness.observe,
    });
    this.nodes.set(spec.name, node);
    const kubelet = new SimulatedKubelet({
      node,
      registry,
      pods,
      timing: { ...KUBELET_TIMING, ...options.timing },
      onOomKill: (kill) => this.oomKills.push(kill),
      onFinished: ({ process }) => this.witness.finished(process),
      podIP: () => `10.64.0.${++this.#podIPs}`,
    });
    this.#kubelets.set(spec.name, kubelet);
    this.server.apply(nodeObject(spec, registry.time()));
  }

  #proxy(name: string, path: string): Json | undefined {
    const node = this.nodes.get(name);
    if (!node) return undefined;
    if (path === "stats/summary") return summary(node);
    return path === "pods" ? podList(this.#kubelets.get(name)?.pods() ?? []) : undefined;
  }

  /** What a simulated process has to say: who it is, and how many seconds it has worked. */
  #log(pod: string): string {
    const process = this.witness.running().find((candidate) => candidate.pod === pod);
    return process ? `instance ${process.instance.slice(0, 8)} n=${Math.floor(process.workMs / 1000)}\n` : "";
  }

  #tick(everyMs: number, lifecycle: NodeLifecycle): void {
    if (this.#stopped) return;
    for (const kubelet of this.#kubelets.values()) kubelet.tick();
    lifecycle.look();
    this.#clock.after(everyMs, () => this.#tick(everyMs, lifecycle));
  }

  /** ReplicaSets are looked at as soon as anything changes, Jobs with the real controller's second of delay. */
  #startControllers(): () => void {
    const { store } = this.server;
    return store.subscribe(({ store: name }) => {
      if (["pods", "replicasets.apps", "deployments.apps"].includes(name))
        this.#soon("replicas", 5, () => this.#syncReplicas());
      if (["pods", "jobs.batch"].includes(name)) this.#soon("jobs", JOB_SYNC_MS, () => this.#syncJobs());
    });
  }

  #syncReplicas(): void {
    this.#syncAll("deployments.apps", syncDeployment);
    this.#syncAll("replicasets.apps", syncReplicaSet);
  }

  #syncJobs(): void {
    this.#syncAll("jobs.batch", syncJob);
    releaseOrphans(this.server.registry, this.server.types);
  }

  #syncAll(store: string, sync: typeof syncJob): void {
    for (const object of this.server.store.list(store)) {
      try {
        sync(this.server.registry, this.server.types, object);
      } catch (error) {
        // What changed in between is looked at again: the change itself asks for it.
        if (!(error instanceof ApiError)) throw error;
      }
    }
  }

  #soon(what: string, afterMs: number, act: () => void): void {
    if (this.#waiting.has(what)) return;
    this.#waiting.add(what);
    this.#clock.after(afterMs, () => {
      this.#waiting.delete(what);
      if (!this.#stopped) act();
    });
  }
}

function nodeObject(spec: NodeSpec, time: string) {
  const resources = { cpu: "8", memory: `${Math.floor(spec.capacityBytes / 1024)}Ki`, pods: "110" };
  const ready = {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    message: "simulated",
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: spec.name,
      labels: { "kubernetes.io/hostname": spec.name, "kubernetes.io/os": "linux", ...spec.labels },
    },
    spec: {},
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [ready],
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      nodeInfo: {
        kubeletVersion: "v1.35.0",
        osImage: "Headroom sandbox",
        kernelVersion: "simulated",
        containerRuntimeVersion: "containerd://2.0.0",
      },
    },
  };
}
