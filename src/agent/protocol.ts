/**
 * What controller and agents say to each other: JSON over HTTPS with mutual TLS (see docs/adr/0002-agent-trust.md).
 *
 * Every command names its move and the leader's epoch. A command may be repeated at any time: one that is done answers
 * as it did, one that is running is joined. A command of an epoch older than one already seen is refused (`StaleEpoch`), and so is
 * one that would begin a move anew which was cleaned up (`WrongState`, for an hour).
 * No agent ever resumes a source or releases a target by itself or by a timeout.
 */
import { z } from "zod";

/** Port of the agent's HTTPS server on its node, unless its pod's container port named `agent` says otherwise. */
export const AGENT_PORT = 9808;

/** Common names in certificates. */
export const CONTROLLER_NAME = "headroom-controller";
export const agentName = (node: string): string => `headroom-agent:${node}`;

export const commandSchema = z.object({
  moveUID: z.string().regex(/^[0-9a-f-]{36}$/),
  /** The leader's epoch (leaseTransitions of its Lease): grows with every change of leader. */
  epoch: z.int().nonnegative(),
});
export type Command = z.infer<typeof commandSchema>;

/**
 * Kinds of containers, by what CRIU has to do beside the ordinary for them. `dirtyTracking` is a way to dump any of them, `lazyPages` one to
 * restore them.
 */
export const kindSchema = z.enum(["root", "user", "seccomp", "apparmor", "dirtyTracking", "lazyPages"]);
export type Kind = z.infer<typeof kindSchema>;

/** Can such a container be dumped and restored on this node? Tried with one of the agent's own. */
export const verdictSchema = z.object({
  kind: kindSchema,
  ok: z.boolean(),
  /** How long the trial took, milliseconds. */
  ms: z.number(),
  /** Why not. */
  message: z.string().optional(),
});
export type Verdict = z.infer<typeof verdictSchema>;

/**
 * Whether the node must still be prepared: the runtime handler, which takes a restart of containerd, and the self-test. The controller says
 * when (docs/adr/0025-turns.md).
 */
export const turnSchema = z.discriminatedUnion("state", [
  /** It is prepared, or needs no turn for it. */
  z.object({ state: z.literal("none") }),
  z.object({ state: z.literal("waiting") }),
  z.object({ state: z.literal("preparing") }),
  z.object({ state: z.literal("failed"), message: z.string() }),
]);
export type Turn = z.infer<typeof turnSchema>;
/** Why a move waits for such a node. */
export const BEING_PREPARED = "the node is being prepared for moves, with a restart of containerd";

/** Answered with the turn, without waiting for its end. Refused with a retryable `WrongState` while a move is on record here. */
export const prepareSchema = commandSchema.pick({ epoch: true });

/** What a node can do, asked before anything is touched. */
export const featuresSchema = z.object({
  agentVersion: z.string(),
  criuVersion: z.string(),
  runcVersion: z.string(),
  kernel: z.string(),
  cgroupVersion: z.union([z.literal(1), z.literal(2)]),
  /** Who makes the containers' groups, by the default runtime's options. Absent: an agent that doesn't tell. */
  cgroupDriver: z.enum(["systemd", "cgroupfs"]).optional(),
  /** CPU flags of /proc/cpuinfo, sorted. A move needs the target's to hold all of the source's. */
  cpuFlags: z.array(z.string()),
  lazyPages: z.boolean(),
  memDirtyTrack: z.boolean(),
  containerdVersion: z.string().default("unknown"),
  /** What containers that ask for nothing are confined by on this node. Absent: an agent that doesn't tell. */
  lsm: z.enum(["apparmor", "selinux", "none"]).optional(),
  /** Of the kinds that were tried. None: an agent that tries none. */
  verdicts: z.array(verdictSchema).default([]),
  /** The runtime handler is in containerd's running configuration. */
  handlerInstalled: z.boolean(),
  /** Why not, and what to do. */
  handlerMessage: z.string().optional(),
  /** TCP connections within a container go on here. Absent: an agent that closes them. */
  keepsConnections: z.boolean().default(false),
  /** Absent: an agent that asks for no turn. */
  turn: turnSchema.default({ state: "none" }),
  /** Bytes that all moves together may stage on this node, and what is free of it. */
  stagingBudgetBytes: z.number(),
  stagingFreeBytes: z.number(),
  /** Bytes free on the disk that files land on. */
  filesFreeBytes: z.number(),
  /** When the agent's certificate ends, RFC 3339. Absent: an agent that doesn't tell. */
  certificateEnds: z.string().optional(),
});
export type NodeFeatures = z.infer<typeof featuresSchema>;

/** Part of paths on the node: never more than a name. A mirror pod's is a hash without dashes. */
const podUIDSchema = z.string().regex(/^[0-9a-zA-Z-]{1,64}$/);

/** Names a source container; `containerID` without `containerd://`. */
export const sourceSchema = z.object({
  podUID: podUIDSchema,
  containerID: z.string().regex(/^[0-9a-zA-Z_.-]*$/),
  containerName: z.string(),
});

/** What only the node knows of a running container. */
export const sourceFactsSchema = z.object({
  running: z.boolean(),
  /** Anonymous and shmem memory that a dump would hold. Not that of memory-backed emptyDirs: they are files. */
  memoryBytes: z.number(),
  /** Writable layer, emptyDirs, deleted files that are still open, what waits in TCP connections, and further copies of memory that processes share since a fork. */
  filesBytes: z.number(),
  /** The part of `filesBytes` that is staged in memory: all but the writable layer and emptyDirs on a disk. */
  memoryFilesBytes: z.number(),
  processes: z.int(),
  /** Of all of them. */
  threads: z.int().default(0),
  /** What its first process is. */
  kinds: z.array(kindSchema).default([]),
  /** What its first process is confined by; absent: by nothing. */
  confinedBy: z.enum(["apparmor", "selinux"]).optional(),
  /** TCP connections that a move would close, as "local -> remote", at most 20: all but those between two processes of the container. */
  establishedTcp: z.array(z.string()),
  /** TCP connections between two processes of the container, or of one with itself. */
  innerConnections: z.int().default(0),
  /** What CRIU cannot carry: open devices, huge pages, a terminal … one sentence each. */
  obstacles: z.array(z.object({ reason: z.string(), message: z.string() })),
});
export type SourceFacts = z.infer<typeof sourceFactsSchema>;

/** Target: from now on this pod's container is restored or fails, never cold-started (before the commit). */
export const registerSchema = commandSchema.extend({
  podUID: podUIDSchema,
  containerName: z.string(),
});

/** Its files land on the target's disk, those of a memory-backed one in the move's staging area. The name is part of a path. */
export const emptyDirSchema = z.object({
  name: z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
  memory: z.boolean(),
});
export type EmptyDir = z.infer<typeof emptyDirSchema>;

/** Target: open the page server and the way for files. `stagingBytes` bounds what this move may stage. */
export const receiveSchema = commandSchema.extend({
  token: z.string().min(32),
  sourceNode: z.string(),
  /** The only address that may connect to the page server. */
  sourceAddress: z.string(),
  stagingBytes: z.number().positive(),
  /** Writable layer and emptyDirs as they were at preflight: bounds what may be unpacked on this node. */
  filesBytes: z.number().nonnegative().default(0),
  /** Memory and files as they were at preflight: what `progress` is a part of. */
  totalBytes: z.number().nonnegative().default(0),
  /** emptyDir volumes that will arrive. */
  emptyDirs: z.array(emptyDirSchema),
});
export const receivingSchema = z.object({ address: z.string(), pagePort: z.int(), agentPort: z.int() });
export type Receiving = z.infer<typeof receivingSchema>;

/** Source: pause, dump the pages to the peer's page server, send the other images and the files to the peer's agent. */
export const dumpTargetSchema = receivingSchema.extend({ node: z.string(), token: z.string() });
export type DumpTarget = z.infer<typeof dumpTargetSchema>;
/** What the controller expects of a freeze and what it allows, milliseconds from the pause on. */
export const freezeLimitsSchema = z.object({
  expectedMs: z.number().nonnegative(),
  /** Until the pod's liveness probe or the move's time limit must end the freeze. */
  allowedMs: z.number(),
  /** Writable layer and emptyDirs, as they were at preflight. */
  filesBytes: z.number().nonnegative(),
});
export type FreezeLimits = z.infer<typeof freezeLimitsSchema>;
export const dumpSchema = commandSchema.extend({
  source: sourceSchema,
  emptyDirs: z.array(z.string()),
  peer: dumpTargetSchema,
  tcp: z.enum(["Refuse", "Close"]),
  /** The link is measured before a freeze that may take longer than is allowed, and the dump refused (`LinkTooSlow`) if it will. */
  limits: freezeLimitsSchema,
});
export const dumpedSchema = z.object({
  /** Epoch milliseconds, source node's clock: just before the pause. */
  frozenAtMs: z.number(),
  memoryBytes: z.number(),
  transferredBytes: z.number(),
  /** Milliseconds by step: pause, dump, files, send. */
  timings: z.record(z.string(), z.number()),
  /** What the link carried at the least when it was measured before the freeze; absent: it was not. */
  linkBytesPerSecond: z.number().optional(),
});
export type Dumped = z.infer<typeof dumpedSchema>;

/** Target: let the waiting `create` restore, and answer when every task is held before its first instruction. */
export const restoreSchema = commandSchema.extend({
  podUID: podUIDSchema,
  /** The copy died before it was released: restore the same images once more, in the pod's next `create`. */
  again: z.boolean().optional(),
});
export const restoredSchema = z.object({
  containerID: z.string(),
  pid: z.int(),
  timings: z.record(z.string(), z.number()),
});
export type Restored = z.infer<typeof restoredSchema>;

/**
 * Target, only after the commit: SIGCONT. `podUID` is for an agent that has lost its record of the move. Refused for good with `WrongState`
 * once the move was aborted here. `CopyDead`: the copy has died and never ran; `ReleaseFailed`: it has died and may have run.
 */
export const releaseSchema = commandSchema.extend({ podUID: podUIDSchema.optional() });
export const releasedSchema = z.object({ releasedAtMs: z.number() });
export type Released = z.infer<typeof releasedSchema>;

/**
 * Target: confirms that the copy was never released, never will be (over restarts of the agent and of the node, lost records and
 * clean-up), and is gone. `AlreadyReleased`: it may have run.
 */
export const abortedSchema = z.object({ neverReleased: z.literal(true), gone: z.literal(true) });

/** Source, when it has gone on. Absent: it was never frozen. */
export const resumedSchema = z.object({
  /** Epoch milliseconds, source node's clock: just before the pause, and just after the thaw or when it was found to be gone. */
  freeze: z.object({ frozenAtMs: z.number(), resumedAtMs: z.number() }).optional(),
});
export type Resumed = z.infer<typeof resumedSchema>;

/**
 * Source, only after RollingBack (`resume`), or after the commit and the pod's deletion in the API (`kill`): all frozen tasks but the
 * container's init die without running. Init is left to its kubelet, which ends it when it has seen the deletion, and until then can't
 * take its end for a crash. As long as init is there, `kill` answers a retryable `WrongState`, and is repeated.
 */
export const sourceCommandSchema = commandSchema.extend({ source: sourceSchema });

/** Target, when all that the move left is removed. `memoryLost`: the copy was ended because not all of its memory came; why. */
export const cleanedSchema = z.object({ memoryLost: z.string().optional() });
export type Cleaned = z.infer<typeof cleanedSchema>;

export const moveRecordSchema = z.object({
  moveUID: z.string(),
  role: z.enum(["source", "target"]),
  /** Highest epoch seen. */
  epoch: z.int(),
  podUID: z.string(),
  state: z.enum([
    "registered",
    "receiving",
    "restoring",
    "held",
    "released",
    "aborted",
    "dumping",
    "dumped",
    "resumed",
    "killed",
    "failed",
  ]),
  message: z.string().optional(),
  /** Target: the runtime's `create` for the registered container has been called and is being held. */
  createWaiting: z.boolean().optional(),
  /**
   * Source, while dumping or dumped: is the container's init, as it was frozen, still frozen? `ended`: it is gone, or is another process.
   * Absent: nothing has been frozen yet, or the agent can't tell.
   */
  process: z.enum(["frozen", "running", "ended"]).optional(),
  /** Target: what has arrived of the checkpoint, files included. `gone`: the node was restarted, or what was staged was removed. */
  images: z.enum(["none", "partial", "whole", "gone"]).optional(),
  /** Target, held or released: false when the restored container has died. */
  copyAlive: z.boolean().optional(),
  /**
   * Target, while receiving: bytes of memory and files that the source has sent and that are here, what was announced of them, and the
   * rate of the last second. The target counts them, because CRIU does not report how far it is.
   */
  progress: z.object({ sentBytes: z.number(), totalBytes: z.number(), bytesPerSecond: z.number() }).optional(),
  /** Source, from the freeze until it is resumed or cleaned up: containers of its pod that were ended at birth, as a second copy. */
  guarded: z.int().optional(),
  /** Source: the container that the move began with, as the runtime names it. */
  containerID: z.string().optional(),
  /** Source: the node that its dump was sent to (`peer.node`). A copy can only be there. */
  peerNode: z.string().optional(),
});
export type MoveRecord = z.infer<typeof moveRecordSchema>;

/** Why an agent refused or failed. `retryable`: the same command may succeed later, the move is where it was. */
export const agentErrorSchema = z.object({
  reason: z.enum([
    "StaleEpoch",
    "BadRequest",
    "Forbidden",
    "NotFound",
    "WrongState",
    "NoRoom",
    "DumpFailed",
    "SendFailed",
    "RestoreFailed",
    // The dump or the restore met something of a kind that CRIU does not carry: it would end in the same way again.
    "NotCarried",
    "ReleaseFailed",
    // Target: the held copy has died and was never released; its images may still be there.
    "CopyDead",
    "AlreadyReleased",
    "SourceGone",
    // Source, before the freeze: what the link carries would make the freeze longer than is allowed.
    "LinkTooSlow",
    "Internal",
  ]),
  message: z.string(),
  retryable: z.boolean(),
  /** StaleEpoch: the highest epoch that this agent has seen. */
  epoch: z.int().optional(),
});
export type AgentErrorBody = z.infer<typeof agentErrorSchema>;

/**
 * The routes. All commands are POST with the schemas above; `:uid` is the move's UID.
 *   GET  /v1/features                      → featuresSchema
 *   GET  /v1/warm                          → {}: opens a connection ahead of time, for controller and peers
 *   POST /v1/inspect            (source)   → sourceFactsSchema
 *   POST /v1/node/prepare                  → turnSchema
 *   GET  /v1/moves                         → { moves: moveRecordSchema[] }
 *   POST /v1/moves/:uid/target/{register,receive,restore,release,abort,cleanup}
 *   POST /v1/moves/:uid/source/{dump,resume,kill,cleanup}
 *   PUT  /v1/moves/:uid/target/files?part=images|layer-manifest|layer|empty-dir[&name=…]
 *                                          from the source's agent, with the move's token as bearer
 *   PUT  /v1/moves/:uid/target/files?part=probe
 *                                          the same; counted and thrown away, to measure the link
 *   GET  /v1/enrolment, POST /v1/certificate   first contact, see the ADR
 */
export const ROUTES = "/v1";
