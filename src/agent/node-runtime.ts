/**
 * What an agent can do to its node. The server (./server.ts) owns HTTP, identities, epochs, the order of steps and their
 * repetition; a NodeRuntime owns containers, checkpoints and files. Two of them exist: the real one (./host/, runc and
 * CRIU in the host's namespaces) and the sandbox's simulated one.
 *
 * The server promises, per move and role:
 * - at most one step runs at a time, and a step is called only in a state that allows it (./steps.ts);
 * - a step that has succeeded is not called again (its answer is kept), except `receive` and `restore`: those are asked
 *   again, so that the answer is true now (does the page server still wait, is the held copy still alive);
 * - a step may be called again after it failed, or after the agent died in the middle of it: so each must be
 *   idempotent and go on from what it finds on the node;
 * - when abort, resume, kill or cleanup arrives while another step runs, that step's `signal` is aborted, the server waits for
 *   it to settle, but for a few seconds at most, then calls the new step. From its signal's abort on a step must do nothing
 *   more to the container, and what it still answers is forgotten. What was started for the old step may still run on the node (an agent that
 *   died leaves such behind, too): the new step ends it first.
 *
 * A step fails with an AgentError; anything else becomes `Internal`. No step resumes a source or releases a target
 * unless it is `resume` or `release`: a failed dump leaves the source as it is, frozen or not.
 */
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { LinkRate } from "./link.ts";
import type {
  Cleaned,
  Command,
  Dumped,
  dumpSchema,
  MoveRecord,
  NodeFeatures,
  Released,
  Restored,
  Resumed,
  receiveSchema,
  registerSchema,
  restoreSchema,
  SourceFacts,
  sourceCommandSchema,
  sourceSchema,
  Turn,
} from "./protocol.ts";

export type Source = z.infer<typeof sourceSchema>;
export type RegisterCommand = z.infer<typeof registerSchema>;
export type ReceiveCommand = z.infer<typeof receiveSchema>;
export type RestoreCommand = z.infer<typeof restoreSchema>;
export type DumpCommand = z.infer<typeof dumpSchema>;
export type SourceCommand = z.infer<typeof sourceCommandSchema>;
export type SourceProcess = NonNullable<MoveRecord["process"]>;

/** A source whose pod's other containers are ended at birth. */
export interface GuardedSource {
  moveUID: string;
  podUID: string;
  containerID: string;
  /** Its dump was complete, so it is guarded although a restart of the node has taken its frozen container. */
  dumped: boolean;
}

/** A piece of what travels beside the memory pages, from the source's agent to the target's. */
export type FilePart =
  /** CRIU's images other than pages: a tar. The last part of a move. */
  | { part: "images" }
  /** Writable layer, first half: what of the image's own files is still there (see ./host/layer.pl). */
  | { part: "layer-manifest" }
  /** Writable layer, second half: a tar of its files. */
  | { part: "layer" }
  /** One emptyDir volume: a tar. */
  | { part: "empty-dir"; name: string };

/** The way to the peer agent of a dump. `open` may be called before the freeze so that no TLS handshake falls into it. */
export interface Peer {
  open(): Promise<void>;
  /** Resolves when the peer has stored the part. Parts may be sent side by side. */
  put(part: FilePart, body: Readable | Uint8Array, signal: AbortSignal): Promise<void>;
  /** What the way carries now, measured for half a second (see ./link.ts). */
  measure(signal: AbortSignal): Promise<LinkRate>;
  close(): Promise<void>;
}

export interface NodeRuntime {
  features(): Promise<NodeFeatures>;
  inspect(source: Source): Promise<SourceFacts>;

  turn(): Turn;
  /** Begins to prepare the node if its turn is still to come; answers its turn. */
  prepare(): Turn;

  /** From now on, across reboots, the pod's container is restored or fails, until it is released or forgotten. */
  register(command: RegisterCommand, signal: AbortSignal): Promise<void>;
  /** Does the runtime's `create` for the registered container wait for its checkpoint now? */
  createWaiting(moveUID: string): boolean;
  /** Repeated: the same answer as long as the page server waits or works, else a page server anew. */
  receive(command: ReceiveCommand, signal: AbortSignal): Promise<{ address: string; pagePort: number }>;
  /** What of the checkpoint has come, and how fast it comes. */
  arrived(moveUID: string): Pick<MoveRecord, "images" | "progress">;
  /**
   * A part from the peer; resolves when it is stored. Its size is watched over by the server. `signal`: the move goes on without
   * it, and the body ends with an error; from then on nothing more may be written.
   */
  acceptFiles(moveUID: string, part: FilePart, body: Readable, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when every task of the restored container is held before its first instruction. Fails with `CopyDead` when it was and has
   * died since; `again` restores it once more then, from the same images and files.
   */
  restore(command: RestoreCommand, signal: AbortSignal): Promise<Restored>;
  /**
   * Decides that the copy runs: durable when it returns, and the pod is an ordinary one from then on (a restart by the kubelet is a cold
   * start). Throws `WrongState` when the move was aborted, `CopyDead` when the copy has died and was never released, and changes nothing
   * then. `markReleased` and `markAborted` exclude each other for good; a record that was lost, or is behind, doesn't matter.
   */
  markReleased(command: Command & { podUID: string }): void;
  /** Called after `markReleased`: the copy runs. Fails with `ReleaseFailed` when it has died since. */
  release(command: Command & { podUID: string }, signal: AbortSignal): Promise<Released>;
  /** Decides that the copy never runs: durable when it returns; its `create` fails from then on. Throws `AlreadyReleased`. */
  markAborted(command: Command & { podUID: string }): void;
  /** Called after `markAborted`: kills the held copy; resolves when it is known to be gone. */
  abort(command: Command & { podUID: string }, signal: AbortSignal): Promise<void>;
  /**
   * Removes all that the move left. A pod that was never released stays barred from a cold start while it is on the node.
   * `released`: its record says that it was, whatever an earlier clean-up has removed.
   */
  cleanupTarget(command: Command & { podUID: string; released: boolean }): Promise<Cleaned>;
  /** Does anything of the restored copy run, or wait held? Undefined: none has been restored. */
  copyAlive(moveUID: string): boolean | undefined;

  /**
   * Source, from a dump's beginning to the move's end: is the process that was frozen still frozen, does it run, or has it ended?
   * Undefined when nothing has been frozen yet.
   */
  sourceProcess(moveUID: string, containerID: string): SourceProcess | undefined;
  dump(command: DumpCommand, peer: Peer, signal: AbortSignal): Promise<Dumped>;
  resume(command: SourceCommand, signal: AbortSignal): Promise<Resumed>;
  /** The frozen tasks die without running. */
  kill(command: SourceCommand, signal: AbortSignal): Promise<void>;
  cleanupSource(command: Command & { podUID: string }): Promise<void>;
  /**
   * How many containers of the source's pod were ended at birth since the freeze, so that none runs beside the copy. Undefined: it isn't
   * guarded, because it was never frozen, or was resumed or cleaned up.
   */
  endedAtBirth(moveUID: string): number | undefined;

  /** Called once before the server listens, with the moves that the records name, e.g. to listen again. */
  recover(moves: { target: string[]; source: GuardedSource[] }): Promise<void>;
}
