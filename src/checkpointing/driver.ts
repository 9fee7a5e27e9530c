/**
 * The checkpoint driver: what the PodMigration reconciler asks of the nodes. The agent driver (./agent-driver.ts) sends
 * each call to the node's agent. Every call is idempotent, has a time limit and rejects with a {@link DriverError}.
 */
import type {
  AgentErrorBody,
  Cleaned,
  Dumped,
  EmptyDir,
  FreezeLimits,
  MoveRecord,
  NodeFeatures,
  Receiving,
  Released,
  Restored,
  Resumed,
  SourceFacts,
  Turn,
} from "../agent/protocol.ts";

/** Whose move, in whose epoch. */
export interface MoveId {
  moveUID: string;
  epoch: number;
  /** Aborted when the caller gives up or leads no more: from then on the command is not sent again. */
  signal?: AbortSignal;
}

/** In whose epoch a node is prepared. */
export type PrepareOptions = Pick<MoveId, "epoch" | "signal">;

export interface SourceContainer {
  podUID: string;
  containerID: string;
  containerName: string;
}

export interface DumpOptions {
  peer: Receiving & { node: string; token: string };
  emptyDirs: string[];
  tcp: "Refuse" | "Close";
  /** A link on which the freeze would take longer is refused before it (`LinkTooSlow`). */
  limits: FreezeLimits;
}

/** See receiveSchema. */
export interface ReceiveOptions {
  sourceNode: string;
  stagingBytes: number;
  filesBytes: number;
  totalBytes: number;
  emptyDirs: EmptyDir[];
}

export interface CheckpointDriver {
  features(node: string): Promise<NodeFeatures>;
  inspect(node: string, source: SourceContainer): Promise<SourceFacts>;
  /** Gives the node its turn, if it waits for one. Does not wait for its end: `features` tells of that. */
  prepare(node: string, options: PrepareOptions): Promise<Turn>;
  /** Must be done before the target pod can be scheduled: see REGISTERING_GATE. */
  register(node: string, move: MoveId, target: { podUID: string; containerName: string }): Promise<void>;
  receive(node: string, move: MoveId, options: ReceiveOptions): Promise<Receiving & { token: string }>;
  dump(node: string, move: MoveId, source: SourceContainer, options: DumpOptions): Promise<Dumped>;
  restore(node: string, move: MoveId, target: { podUID: string; again?: boolean }): Promise<Restored>;
  /** Only after Committed. */
  release(node: string, move: MoveId, target: { podUID: string }): Promise<Released>;
  /** Only after RollingBack. Resolves when the copy is known never to have been released and to be gone. */
  abort(node: string, move: MoveId): Promise<void>;
  /** Only after RollingBack. */
  resume(node: string, move: MoveId, source: SourceContainer): Promise<Resumed>;
  /** Only after Committed: kills the frozen tasks without letting them run. */
  kill(node: string, move: MoveId, source: SourceContainer): Promise<void>;
  cleanup(node: string, role: "source" | "target", move: MoveId): Promise<Cleaned>;
  moves(node: string): Promise<MoveRecord[]>;
}

/** `Unreachable`: no answer; the command may or may not have been carried out. All else is the agent's own word. */
export class DriverError extends Error {
  override readonly name = "DriverError";
  readonly reason: AgentErrorBody["reason"] | "Unreachable" | "NoAgent";
  readonly retryable: boolean;
  readonly node: string;

  constructor(
    node: string,
    reason: AgentErrorBody["reason"] | "Unreachable" | "NoAgent",
    message: string,
    retryable: boolean,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.node = node;
    this.reason = reason;
    this.retryable = retryable;
  }
}
