/**
 * The I/O boundaries of a move: before and after every request of the controller to the API server, and before and after every
 * step that an agent carries out. At one of them something happens.
 */
import { AgentError } from "../../../src/agent/agent-error.ts";
import type { NodeRuntime } from "../../../src/agent/node-runtime.ts";
import type { InterceptedRequest, Interception } from "../../../src/sandbox/api-server/server.ts";

const STEPS = new Set([
  ...["register", "receive", "acceptFiles", "restore", "release", "abort", "cleanupTarget"],
  ...["dump", "resume", "kill", "cleanupSource", "inspect", "features"],
]);

/** Those that decide for good, and don't wait for anything. */
const MARKS = new Set(["markReleased", "markAborted"]);

/** What a fault makes of the call at whose boundary it strikes: a request to the API is lost, or the agent of a node dies over it. */
export interface Struck {
  api?: boolean;
  agent?: string;
}

export class Boundaries {
  /** What was passed, in order. */
  readonly trace: string[] = [];
  #at: number | string = Number.POSITIVE_INFINITY;
  #strike: () => Struck = () => ({});
  #counting = false;
  /** Restores come about and are then said to have failed. */
  restoreFails = false;
  /** No request reaches the API server. */
  apiIsAway = false;
  readonly #isDead: (token: string) => boolean;

  /** @param isDead has the process died whose requests carry this token? */
  constructor(isDead: (token: string) => boolean) {
    this.#isDead = isDead;
  }

  /** Counts from now on; at boundary `at` (from 0), or at the first of which that is a part, it strikes. */
  begin(at: number | string = Number.POSITIVE_INFINITY, strike: () => Struck = () => ({})): void {
    this.trace.length = 0;
    this.#at = at;
    this.#strike = strike;
    this.#counting = true;
  }

  end(): void {
    this.#counting = false;
  }

  /** For the API server: renewals of the lease and events are no steps of a move. */
  readonly intercept = (request: InterceptedRequest): Interception => {
    if (this.apiIsAway || this.#isDead(request.token)) return "loseRequest";
    const own = request.userAgent.startsWith("headroom") && !request.watch;
    if (!own || /\/(leases|events)(\/|$)/.test(request.path)) return "pass";
    const what = `${request.method} ${request.path}`;
    if (this.#pass(`before ${what}`).api) return "loseRequest";
    return this.#pass(`after ${what}`).api ? "loseAnswer" : "pass";
  };

  /** For an agent: its steps as boundaries. One that dies carries nothing out any more, and answers nothing. */
  readonly around = (node: string, runtime: NodeRuntime): NodeRuntime =>
    new Proxy(runtime, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        if (MARKS.has(String(name)))
          return (command: unknown) => this.#mark(String(name), node, method.bind(target, command));
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

  #mark(name: string, node: string, mark: () => void): void {
    this.#step(`before ${name} on ${node}`, node);
    mark();
    this.#step(`after ${name} on ${node}`, node);
  }

  #step(what: string, node: string): void {
    if (this.#pass(what).agent === node) throw new Error("the agent was killed");
  }

  #pass(what: string): Struck {
    if (!this.#counting) return {};
    this.trace.push(what);
    const isHere = typeof this.#at === "string" ? what.includes(this.#at) : this.trace.length - 1 === this.#at;
    if (!isHere) return {};
    this.#at = Number.POSITIVE_INFINITY;
    return this.#strike();
  }
}
