/** A whole cluster in one process: the API, simulated nodes, and, if wanted, Headroom installed in it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeRuntime } from "../agent/node-runtime.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import { AgentDaemonSet } from "./agent/agent-daemon-set.ts";
import type { SimulatedAgent } from "./agent/simulated-agent.ts";
import { arrayAt, stringAt } from "./api-server/json.ts";
import { SandboxApiServer, type SandboxOptions } from "./api-server/server.ts";
import { ControllerProcess } from "./controller-process.ts";
import { installHeadroom } from "./installation.ts";
import { type NodeSpec, SimulatedCluster } from "./nodes/cluster.ts";
import type { KubeletTiming } from "./nodes/kubelet.ts";

export interface SandboxParts {
  clock: Clock;
  nodes: NodeSpec[];
  /** CRDs, namespace, RuntimeClass and an agent on every node. The controller is started apart. */
  headroom: boolean;
  /** For the kubeconfig and logs. */
  directory: string;
  timing?: Partial<KubeletTiming>;
  /** How often nodes are looked at. */
  tickMs?: number;
  /** Bytes per second from node to node. */
  bandwidth?: number;
  api?: SandboxOptions;
  /** Puts something around the nodes' runtimes. */
  aroundRuntime?: (node: string, runtime: NodeRuntime) => NodeRuntime;
}

const READY_LIMIT_MS = 60_000;
const STAGING_BUDGET_BYTES = 8 * 2 ** 30;

export class Sandbox {
  readonly server: SandboxApiServer;
  readonly cluster: SimulatedCluster;
  readonly directory: string;
  readonly kubeconfigFile: string;
  readonly #parts: SandboxParts;
  #controller: ControllerProcess | undefined;
  #agents: AgentDaemonSet | undefined;

  private constructor(parts: SandboxParts, server: SandboxApiServer) {
    const { directory } = parts;
    this.#parts = parts;
    this.server = server;
    this.cluster = new SimulatedCluster({ ...parts, server });
    this.directory = directory;
    this.kubeconfigFile = join(directory, "kubeconfig");
    writeFileSync(this.kubeconfigFile, server.kubeconfig(), { mode: 0o600 });
  }

  /** By node. */
  get agents(): ReadonlyMap<string, SimulatedAgent> {
    return this.#agents?.agents ?? new Map();
  }

  static async start(parts: SandboxParts): Promise<Sandbox> {
    const server = await SandboxApiServer.start({ clock: parts.clock, ...parts.api });
    const sandbox = new Sandbox(parts, server);
    if (parts.headroom) sandbox.#install();
    return sandbox;
  }

  #install(): void {
    installHeadroom(this.server);
    this.#agents = new AgentDaemonSet({
      server: this.server,
      nodes: this.cluster.nodes.values(),
      directory: join(this.#parts.directory, "nodes"),
      links: this.cluster.links,
      stagingBudgetBytes: STAGING_BUDGET_BYTES,
      now: this.#parts.clock.now,
      around: this.#parts.aroundRuntime,
    });
  }

  /** `headroom controller` as a child process; its log is in the sandbox's directory. */
  async startController(): Promise<ControllerProcess> {
    const logFile = join(this.#parts.directory, "controller.log");
    this.#controller = ControllerProcess.start({ kubeconfig: this.kubeconfigFile, logFile });
    return this.#controller;
  }

  /** Resolves when the policy's condition Ready is True. Rejects when the controller has died, or after a minute. */
  async policyReady(name: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const untilMs = clock.now() + READY_LIMIT_MS;
    while (!signal.aborted && !this.#isReady(name)) {
      const log = this.#controller && `its log: ${this.#controller.logFile}`;
      if (this.#controller?.running === false) throw new Error(`the controller has ended; ${log}`);
      if (clock.now() > untilMs) throw new Error(`the controller has not become ready; ${log}`);
      await sleep(clock, 50, signal);
    }
  }

  #isReady(name: string): boolean {
    const policy = this.server.store.get("migrationpolicies.headroom.dev", undefined, name);
    const conditions = arrayAt(policy, "status", "conditions");
    return conditions.some((c) => stringAt(c, "type") === "Ready" && stringAt(c, "status") === "True");
  }

  async close(): Promise<void> {
    await this.#controller?.stop();
    this.cluster.stop();
    await this.#agents?.close();
    await this.server.close();
  }
}
