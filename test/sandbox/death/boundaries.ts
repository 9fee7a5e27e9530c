/**
 * The I/O boundaries of a move: before and after every request of the controller to the API server, and before and after every
 * step that an agent carries out. At one of them somebody is killed.
 */
import { AgentError } from "../../../src/agent/agent-error.ts";
import type { NodeRuntime } from "../../../src/agent/node-runtime.ts";
import type { InterceptedRequest, Interception } from "../../../src/sandbox/api-server/server.ts";

const STEPS = new Set([
  ...["register", "receive", "acceptFiles", "restore", "release", "abort", "cleanupTarget"],
  ...["dump", "resume", "kill", "cleanupSource", "inspect", "features"],
]);

/** Who dies, and how. `node` is the agent's. */
export type Victim = { kind: "controller"; kill: () => void } | { kind: "agent"; node: string; kill: () => void };

export class Boundaries {
  /** What was passed, in order. */
  readonly trace: string[] = [];
  #killAt = Number.POSITIVE_INFINITY;
  #victim: Victim | undefined;
  #counting = false;
  /** Restores come about and are then said to have failed. */
  restoreFails = false;

  /** Counts from now on; at boundary `killAt` (from 0) the victim dies. */
  begin(killAt = Number.POSITIVE_INFINITY, victim?: Victim): void {
    this.trace.length = 0;
    this.#killAt = killAt;
    this.#victim = victim;
    this.#counting = true;
  }

  end(): void {
    this.#counting = false;
  }

  /** For the API server: renewals of the lease and events are no steps of a move. */
  readonly intercept = (request: InterceptedRequest): Interception => {
    const own = request.userAgent.startsWith("headroom") && !request.watch;
    if (!own || /\/(leases|events)(\/|$)/.test(request.path)) return "pass";
    const what = `${request.method} ${request.path}`;
    if (this.#pass(`before ${what}`)?.kind === "controller") return "loseRequest";
    return this.#pass(`after ${what}`)?.kind === "controller" ? "loseAnswer" : "pass";
  };

  /** For an agent: its steps as boundaries. One that dies carries nothing out any more, and answers nothing. */
  readonly around = (node: string, runtime: NodeRuntime): NodeRuntime =>
    new Proxy(runtime, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        if (!STEPS.has(String(name))) return method.bind(target);
        return async (...given: unknown[]) => {
          this.#step(`before ${String(name)} on ${node}`, node);
          const answer: unknown = await method.apply(target, given);
          if (name === "restore" && this.restoreFails) throw new AgentError("RestoreFailed", "as the test wants it");
          this.#step(`after ${String(name)} on ${node}`, node);
          return answer;
        };
      },
    });

  #step(what: string, node: string): void {
    const died = this.#pass(what);
    if (died?.kind === "agent" && died.node === node) throw new Error("the agent was killed");
  }

  /** Whoever died here. */
  #pass(what: string): Victim | undefined {
    if (!this.#counting) return undefined;
    this.trace.push(what);
    if (this.trace.length - 1 !== this.#killAt) return undefined;
    this.#victim?.kill();
    return this.#victim;
  }
}
