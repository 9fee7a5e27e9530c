/** The controller's replicas as processes: one leads, one stands by; the leader can be killed without a warning. */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringAt } from "../../../src/sandbox/api-server/json.ts";
import { HEADROOM_NAMESPACE } from "../../../src/sandbox/installation.ts";
import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { until } from "../../support/until.ts";

const CHILD = fileURLToPath(new URL("./controller-child.ts", import.meta.url));
const LEASE = "headroom-controller";
const START_LIMIT_MS = 30_000;

export class Controllers {
  readonly #sandbox: Sandbox;
  readonly #directory: string;
  readonly #children = new Map<string, ChildProcess>();
  #count = 0;

  constructor(sandbox: Sandbox, directory: string) {
    this.#sandbox = sandbox;
    this.#directory = directory;
  }

  /** Two replicas, one of which leads, and agents that answer it. */
  async start(): Promise<void> {
    this.#spawn();
    this.#spawn();
    await until(() => this.#leader() !== undefined, "a controller leads", START_LIMIT_MS);
    const ready = () => [...this.#sandbox.agents.values()].every((agent) => agent.running && agent.enrolled);
    await until(ready, "every agent has its certificate", START_LIMIT_MS);
  }

  /** SIGKILL. Its lease becomes free at once, as if its duration had passed; the one that stands by takes over. */
  killLeader(): void {
    const leader = this.#leader();
    const child = leader === undefined ? undefined : this.#children.get(leader);
    if (leader === undefined || !child) return;
    child.kill("SIGKILL");
    this.#children.delete(leader);
    const { registry, types } = this.#sandbox.server;
    const type = types.find("coordination.k8s.io", "v1", "leases");
    if (!type) return;
    registry.patch({ type, namespace: HEADROOM_NAMESPACE, name: LEASE }, (lease) => ({
      ...lease,
      spec: { ...Object(lease.spec), holderIdentity: "" },
    }));
    this.#spawn();
  }

  async stop(): Promise<void> {
    const exits = [...this.#children.values()].map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#children.values()) child.kill("SIGKILL");
    await Promise.all(exits);
  }

  #leader(): string | undefined {
    const lease = this.#sandbox.server.store.get("leases.coordination.k8s.io", HEADROOM_NAMESPACE, LEASE);
    return stringAt(lease, "spec", "holderIdentity") || undefined;
  }

  #spawn(): void {
    const name = `controller-${++this.#count}`;
    const log = openSync(join(this.#directory, `${name}.log`), "w");
    const { PATH = "", HOME = "" } = process.env;
    const env = {
      PATH,
      HOME,
      KUBECONFIG: this.#sandbox.kubeconfigFile,
      POD_NAMESPACE: HEADROOM_NAMESPACE,
      POD_NAME: name,
    };
    const child = spawn(process.execPath, [CHILD], { stdio: ["ignore", log, log], env, cwd: this.#directory });
    this.#children.set(name, child);
  }
}
