/** The controller's replicas, in this process: one leads, one stands by; the leader can be killed without a warning. */
import { KubeConfig } from "@kubernetes/client-node";
import type { CheckpointDriver } from "../../../src/checkpointing/driver.ts";
import { registerControllers } from "../../../src/cli/register-controllers.ts";
import { readControllerConfig } from "../../../src/config/controller-config.ts";
import type { Timer } from "../../../src/kube/clock.ts";
import { HeadroomOperator } from "../../../src/kube/operator.ts";
import type { Logger } from "../../../src/logging/logger.ts";
import { stringAt } from "../../../src/sandbox/api-server/json.ts";
import { HEADROOM_NAMESPACE } from "../../../src/sandbox/installation.ts";
import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import type { VirtualClock } from "./virtual-clock.ts";

const LEASE = "headroom-controller";
const START_LIMIT_MS = 120_000;

/** One process of the controller. From its death on nothing that it sends arrives, and it hears no answer. */
interface Incarnation {
  operator: HeadroomOperator;
  connections?: { close(): Promise<void> };
  dead: boolean;
  /** Nothing of it goes on, not even in vain. */
  ended: boolean;
}

export class Controllers {
  readonly #sandbox: Sandbox;
  readonly #clock: VirtualClock;
  readonly #logger: Logger;
  readonly #incarnations = new Map<string, Incarnation>();
  #count = 0;

  constructor(sandbox: Sandbox, clock: VirtualClock, logger: Logger) {
    this.#sandbox = sandbox;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Two replicas, one of which leads, and agents that answer it. */
  async start(): Promise<void> {
    await this.#spawn();
    await this.#spawn();
    const ready = () => [...this.#sandbox.agents.values()].every((agent) => agent.running && agent.enrolled);
    const started = await this.#clock.until(() => this.#leader() !== undefined && ready(), START_LIMIT_MS);
    if (!started) throw new Error("no controller leads, or not every agent has its certificate");
  }

  /** By the token of its requests: has this process died? */
  isDead(token: string): boolean {
    return this.#incarnations.get(token)?.dead === true;
  }

  /** The one that stands by takes over when the lease has run out; another one is started. */
  killLeader(): void {
    const leader = this.#leader();
    const incarnation = leader === undefined ? undefined : this.#incarnations.get(leader);
    if (!incarnation || incarnation.dead) return;
    incarnation.dead = true;
    void incarnation.connections?.close();
    void incarnation.operator.stop().then(() => {
      incarnation.ended = true;
    });
    void this.#spawn();
  }

  /** Their last requests may not be answered: the clock stands. */
  stop(): void {
    for (const { operator, connections } of this.#incarnations.values()) {
      void operator.stop();
      void connections?.close();
    }
  }

  #leader(): string | undefined {
    const lease = this.#sandbox.server.store.get("leases.coordination.k8s.io", HEADROOM_NAMESPACE, LEASE);
    return stringAt(lease, "spec", "holderIdentity") || undefined;
  }

  async #spawn(): Promise<void> {
    const name = `controller-${++this.#count}`;
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromString(this.#sandbox.server.kubeconfig(name));
    const logger = this.#logger;
    const clock = { ...this.#clock, after: (ms: number, act: () => void) => this.#after(name, ms, act) };
    const operator = new HeadroomOperator({
      config: kubeConfig,
      logger,
      clock,
      namespace: HEADROOM_NAMESPACE,
      identity: name,
    });
    const incarnation: Incarnation = { operator, dead: false, ended: false };
    const config = readControllerConfig({ flags: {}, env: {} });
    incarnation.connections = registerControllers(operator, config, (driver) => mortal(driver, incarnation));
    this.#incarnations.set(name, incarnation);
    await operator.start();
  }

  #after(name: string, milliseconds: number, act: () => void): Timer {
    return this.#clock.after(milliseconds, () => {
      if (this.#incarnations.get(name)?.ended !== true) act();
    });
  }
}

/** Calls of the dead are not sent, and answers to the dead not heard. */
function mortal(driver: CheckpointDriver, life: { dead: boolean }): CheckpointDriver {
  const never = new Promise(() => {});
  return new Proxy(driver, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...given: unknown[]): Promise<unknown> => {
        if (life.dead) return never;
        const answer: Promise<unknown> = method.apply(target, given);
        return answer.then(
          (value) => (life.dead ? never : value),
          (error: unknown) => (life.dead ? never : Promise.reject(error)),
        );
      };
    },
  });
}
