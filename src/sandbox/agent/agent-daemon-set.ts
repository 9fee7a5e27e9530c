/** The agents' DaemonSet: an agent on every node, as soon as the controller has published its authority. */
import { join } from "node:path";
import type { NodeRuntime } from "../../agent/node-runtime.ts";
import { AUTHORITY_NAME } from "../../checkpointing/trust/authority-store.ts";
import { TOKEN_AUDIENCE } from "../../checkpointing/trust/enrolment.ts";
import { type ApiObject, stringAt } from "../api-server/json.ts";
import type { SandboxApiServer } from "../api-server/server.ts";
import { agentPod, HEADROOM_NAMESPACE } from "../installation.ts";
import type { Links } from "../nodes/links.ts";
import type { SimulatedNode } from "../nodes/node.ts";
import { SimulatedAgent } from "./simulated-agent.ts";
import { SimulatedRuntime } from "./simulated-runtime.ts";

export interface DaemonSetOptions {
  server: SandboxApiServer;
  nodes: Iterable<SimulatedNode>;
  /** Every node's disk is a folder below it. */
  directory: string;
  links: Links;
  /** Bytes that all moves together may stage on a node. */
  stagingBudgetBytes: number;
  now: () => number;
  /** Puts something around a node's runtime, e.g. to see its steps. */
  around?: ((node: string, runtime: NodeRuntime) => NodeRuntime) | undefined;
}

export class AgentDaemonSet {
  readonly agents = new Map<string, SimulatedAgent>();
  readonly #server: SandboxApiServer;
  readonly #stagingBudgetBytes: number;
  readonly #unsubscribe: () => void;
  #started: Promise<void> | undefined;

  constructor(options: DaemonSetOptions) {
    const { server, links, stagingBudgetBytes, directory, now } = options;
    this.#server = server;
    this.#stagingBudgetBytes = stagingBudgetBytes;
    for (const node of options.nodes) {
      const runtime = (killed: AbortSignal) => {
        const own = new SimulatedRuntime({ node, links, stagingBudgetBytes, killed });
        return options.around?.(node.name, own) ?? own;
      };
      const agent = new SimulatedAgent({ node: node.name, runtime, directory: join(directory, node.name), now });
      this.agents.set(node.name, agent);
    }
    this.#unsubscribe = server.store.subscribe(({ store, type, object }) => {
      if (store === "configmaps" && type !== "DELETED" && isAuthority(object)) this.#mount(object);
    });
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#started;
    await Promise.all([...this.agents.values()].map((agent) => agent.kill()));
  }

  #mount(configMap: ApiObject): void {
    for (const agent of this.agents.values()) agent.mount("ca.crt", stringAt(configMap, "data", "ca.crt") ?? "");
    this.#started ??= this.#startAll();
  }

  async #startAll(): Promise<void> {
    for (const agent of this.agents.values()) {
      await agent.start();
      const settings = { port: agent.port, stagingBudgetBytes: this.#stagingBudgetBytes };
      const pod = agentPod(this.#server, agent.node, settings);
      agent.mount("token", this.#token(pod));
    }
  }

  /** As the kubelet projects it into the pod. */
  #token(pod: ApiObject): string {
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: pod.metadata.name, uid: pod.metadata.uid };
    const spec = { audiences: [TOKEN_AUDIENCE], expirationSeconds: 86_400, boundObjectRef };
    return stringAt(this.#server.tokens.issue(HEADROOM_NAMESPACE, "headroom-agent", { spec }), "status", "token") ?? "";
  }
}

const isAuthority = ({ metadata }: ApiObject): boolean =>
  metadata.namespace === HEADROOM_NAMESPACE && metadata.name === AUTHORITY_NAME;
