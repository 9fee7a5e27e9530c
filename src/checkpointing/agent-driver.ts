/** The checkpoint driver that asks the nodes' agents, over HTTPS with mutual TLS. Connections are kept and reused. */
import { type AgentAddress, AgentClient, NoAnswer } from "../agent/agent-client.ts";
import { AgentError } from "../agent/agent-error.ts";
import type { TlsCredentials } from "../agent/identity.ts";
import {
  type Cleaned,
  cleanedSchema,
  type Dumped,
  dumpedSchema,
  featuresSchema,
  type MoveRecord,
  moveRecordSchema,
  type NodeFeatures,
  type Receiving,
  type Released,
  type Restored,
  type Resumed,
  receivingSchema,
  releasedSchema,
  restoredSchema,
  resumedSchema,
  type SourceFacts,
  sourceFactsSchema,
  type Turn,
  turnSchema,
} from "../agent/protocol.ts";
import {
  type CheckpointDriver,
  DriverError,
  type DumpOptions,
  type MoveId,
  type PrepareOptions,
  type ReceiveOptions,
  type SourceContainer,
} from "./driver.ts";

export interface AgentDriverOptions {
  /** The node's agent, as it is now. */
  locate: (node: string) => { address: string; port: number } | undefined;
  credentials: () => TlsCredentials;
  /** The token of a move's files: always the same for a move. */
  tokenOf: (moveUID: string) => string;
  /** An agent has refused a command because it has seen this higher epoch. */
  onStaleEpoch?: (seen: number) => void;
  /** A call that takes longer is sent again: the agent joins the two, and an agent that is gone is noticed. Milliseconds, 15 s. */
  attemptMs?: number;
}

const ATTEMPT_MS = 15_000;
/** How long a step may take in all. Milliseconds. */
const QUICK_MS = 15_000;
const LONG_MS = 600_000;

export class AgentDriver implements CheckpointDriver {
  readonly #options: AgentDriverOptions;
  readonly #clients = new Map<string, { client: AgentClient; to: AgentAddress; credentials: TlsCredentials }>();

  constructor(options: AgentDriverOptions) {
    this.#options = options;
  }

  async features(node: string): Promise<NodeFeatures> {
    return featuresSchema.parse(await this.#call(node, "GET", "/v1/features", undefined, QUICK_MS));
  }

  async inspect(node: string, source: SourceContainer): Promise<SourceFacts> {
    return sourceFactsSchema.parse(await this.#call(node, "POST", "/v1/inspect", source, QUICK_MS));
  }

  async prepare(node: string, { epoch, signal }: PrepareOptions): Promise<Turn> {
    return turnSchema.parse(await this.#call(node, "POST", "/v1/node/prepare", { epoch }, QUICK_MS, signal));
  }

  async moves(node: string): Promise<MoveRecord[]> {
    const answer = await this.#call(node, "GET", "/v1/moves", undefined, QUICK_MS);
    return moveRecordSchema.array().parse(Object(answer).moves);
  }

  async register(node: string, move: MoveId, target: { podUID: string; containerName: string }): Promise<void> {
    await this.#step(node, move, "target/register", target, QUICK_MS);
  }

  async receive(node: string, move: MoveId, options: ReceiveOptions): Promise<Receiving & { token: string }> {
    const token = this.#options.tokenOf(move.moveUID);
    const sourceAddress = this.#locate(options.sourceNode).address;
    const answer = await this.#step(node, move, "target/receive", { ...options, sourceAddress, token }, QUICK_MS);
    return { ...receivingSchema.parse(answer), token };
  }

  async dump(node: string, move: MoveId, source: SourceContainer, options: DumpOptions): Promise<Dumped> {
    // The next two commands fall into the freeze: their connections are opened before it.
    await this.#warm(options.peer.node);
    return dumpedSchema.parse(await this.#step(node, move, "source/dump", { source, ...options }, LONG_MS));
  }

  async restore(node: string, move: MoveId, target: { podUID: string; again?: boolean }): Promise<Restored> {
    return restoredSchema.parse(await this.#step(node, move, "target/restore", target, LONG_MS));
  }

  async release(node: string, move: MoveId, target: { podUID: string }): Promise<Released> {
    return releasedSchema.parse(await this.#step(node, move, "target/release", target, QUICK_MS));
  }

  async abort(node: string, move: MoveId): Promise<void> {
    await this.#step(node, move, "target/abort", {}, QUICK_MS * 2);
  }

  async resume(node: string, move: MoveId, source: SourceContainer): Promise<Resumed> {
    return resumedSchema.parse(await this.#step(node, move, "source/resume", { source }, QUICK_MS * 2));
  }

  async kill(node: string, move: MoveId, source: SourceContainer): Promise<void> {
    await this.#step(node, move, "source/kill", { source }, QUICK_MS * 2);
  }

  async cleanup(node: string, role: "source" | "target", move: MoveId): Promise<Cleaned> {
    return cleanedSchema.parse(await this.#step(node, move, `${role}/cleanup`, {}, LONG_MS));
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const held = [...this.#clients.values()];
    this.#clients.clear();
    await Promise.all(held.map(({ client }) => client.close()));
  }

  async #step(node: string, move: MoveId, step: string, body: object, limitMs: number): Promise<unknown> {
    const { moveUID, epoch, signal } = move;
    const path = `/v1/moves/${moveUID}/${step}`;
    return await this.#call(node, "POST", path, { ...body, moveUID, epoch }, limitMs, signal);
  }

  async #call(
    node: string,
    method: "GET" | "POST",
    path: string,
    body: unknown,
    limitMs: number,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const deadline = performance.now() + limitMs;
    const { attemptMs = ATTEMPT_MS } = this.#options;
    try {
      for (;;) {
        const timeoutMs = Math.ceil(Math.min(attemptMs, Math.max(1, deadline - performance.now())));
        try {
          return await this.#client(node).call({ method, path, body, timeoutMs, ...(signal ? { signal } : {}) });
        } catch (error) {
          const givenUp = signal?.aborted === true || performance.now() >= deadline;
          if (givenUp || !isTimeout(error)) throw error;
        }
      }
    } catch (error) {
      if (error instanceof AgentError && error.epoch !== undefined) this.#options.onStaleEpoch?.(error.epoch);
      throw asDriverError(node, error);
    }
  }

  async #warm(node: string): Promise<void> {
    try {
      await this.#client(node).warm(1);
    } catch (error) {
      throw asDriverError(node, error);
    }
  }

  #locate(node: string): AgentAddress {
    const found = this.#options.locate(node);
    if (found) return { node, ...found };
    throw new DriverError(node, "NoAgent", `no agent runs on node ${node}`, true);
  }

  /** A client for the agent where it is now, with the certificate that holds now. */
  #client(node: string): AgentClient {
    const to = this.#locate(node);
    const credentials = this.#options.credentials();
    const held = this.#clients.get(node);
    if (held && held.credentials === credentials && held.to.address === to.address && held.to.port === to.port)
      return held.client;
    held?.client.close().catch(() => {}); // the calls under way were for an agent that is gone
    const client = new AgentClient(to, credentials);
    this.#clients.set(node, { client, to, credentials });
    return client;
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof NoAnswer && error.cause instanceof DOMException && error.cause.name === "TimeoutError";
}

function asDriverError(node: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  if (error instanceof AgentError) return new DriverError(node, error.reason, error.message, error.retryable, error);
  const said = error instanceof Error ? error.message : String(error);
  return new DriverError(node, "Unreachable", said, true, error);
}
