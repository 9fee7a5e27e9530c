/** A whole cluster in one process: the API, simulated nodes, and, if wanted, Headroom installed in it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, sleep } from "../kube/clock.ts";
import { sandboxIdentity } from "./agent/sandbox-identity.ts";
import { SimulatedAgent } from "./agent/simulated-agent.ts";
import { SimulatedRuntime } from "./agent/simulated-runtime.ts";
import { arrayAt, stringAt } from "./api-server/json.ts";
import { SandboxApiServer, type SandboxOptions } from "./api-server/server.ts";
import { ControllerProcess } from "./controller-process.ts";
import { agentPod, HEADROOM_NAMESPACE, installHeadroom } from "./installation.ts";
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
  /** Bytes per second from node to node. */
  bandwidth?: number;
  api?: SandboxOptions;
}

const BANDWIDTH = 1.2e9;
const STAGING_BUDGET_BYTES = 8 * 2 ** 30;

export class Sandbox {
  readonly server: SandboxApiServer;
  readonly cluster: SimulatedCluster;
  readonly agents = new Map<string, SimulatedAgent>();
  readonly kubeconfigFile: string;
  readonly #parts: SandboxParts;
  #controller: ControllerProcess | undefined;

  private constructor(parts: SandboxParts, server: SandboxApiServer) {
    const { clock, nodes, timing, directory } = parts;
    this.#parts = parts;
    this.server = server;
    this.cluster = new SimulatedCluster({ server, clock, nodes, ...(timing ? { timing } : {}) });
    this.kubeconfigFile = join(directory, "kubeconfig");
    writeFileSync(this.kubeconfigFile, server.kubeconfig(), { mode: 0o600 });
  }

  static async start(parts: SandboxParts): Promise<Sandbox> {
    const server = await SandboxApiServer.start({ now: parts.clock.now, ...parts.api });
    const sandbox = new Sandbox(parts, server);
    if (parts.headroom) await sandbox.#install();
    return sandbox;
  }

  async #install(): Promise<void> {
    installHeadroom(this.server);
    for (const node of this.cluster.nodes.values()) {
      const options = { node, bandwidth: this.#parts.bandwidth ?? BANDWIDTH, stagingBudgetBytes: STAGING_BUDGET_BYTES };
      const agent = new SimulatedAgent({
        node: node.name,
        runtime: () => new SimulatedRuntime(options),
        identity: await sandboxIdentity(this.server, node.name),
      });
      await agent.start();
      this.agents.set(node.name, agent);
      agentPod(this.server, node.name, agent.port);
    }
  }

  /** `headroom controller` as a child process; its log is in the sandbox's directory. */
  async startController(): Promise<ControllerProcess> {
    const logFile = join(this.#parts.directory, "controller.log");
    this.#controller = ControllerProcess.start({ kubeconfig: this.kubeconfigFile, logFile });
    return this.#controller;
  }

  /** Resolves when the policy's condition Ready is True. Rejects when the controller has died. */
  async policyReady(name: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const policy = this.server.store.get("migrationpolicies.headroom.dev", undefined, name);
      const ready = arrayAt(policy, "status", "conditions").find(
        (condition) => stringAt(condition, "type") === "Ready",
      );
      if (stringAt(ready, "status") === "True") return;
      if (this.#controller && !this.#controller.running) {
        throw new Error(`the controller has ended; its log: ${this.#controller.logFile}`);
      }
      await sleep(this.#parts.clock, 50, signal);
    }
  }

  async close(): Promise<void> {
    await this.#controller?.stop();
    this.cluster.stop();
    for (const agent of this.agents.values()) await agent.kill();
    await this.server.close();
  }
}

export { HEADROOM_NAMESPACE };
