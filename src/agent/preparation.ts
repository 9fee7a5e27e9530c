/**
 * How the node becomes one that pods can be moved to: the runtime handler is put into containerd's configuration, containerd is restarted, the
 * self-test passes. The agent listens all the while. Where containerd must be restarted it waits until the controller says that it is this
 * node's turn (docs/adr/0025-turns.md).
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Logger } from "../logging/logger.ts";
import type { HandlerStatus } from "./containerd/handler.ts";
import { readIfThere } from "./host/files.ts";
import type { Host } from "./host/host.ts";
import { STATE_DIRECTORY } from "./host/layout.ts";
import { writeDurably } from "./move-records.ts";
import type { Turn } from "./protocol.ts";
import type { NodeProof } from "./self-test/node-proof.ts";

/** On the node's disk from when preparing begins until it has succeeded. */
const MARK = join(STATE_DIRECTORY, "turn.json");
/** `pod`: UID of the agent's pod. `failed`: why; absent: it has not ended. */
const markSchema = z.object({ pod: z.string().optional(), failed: z.string().optional() });
type Mark = z.infer<typeof markSchema>;

export interface PreparationParts {
  host: Host;
  /** UID of the agent's pod, where it is one. A failure counts for the pod that it happened to; the next one tries again. */
  pod: string | undefined;
  /** The agent may edit containerd's configuration and restart it. */
  installs: boolean;
  /** An agent before this one has put the handler in. */
  wasInstalled: boolean;
  /** Puts the handler in and restarts containerd, unless it is there. Rejects, with everything as it was, when that can't be done. */
  install(): Promise<void>;
  /** Never rejects. */
  handler(): Promise<HandlerStatus>;
  proof: Pick<NodeProof, "isNew" | "verdicts" | "prove">;
  /** Called whenever `turn` changes. */
  onChange(turn: Turn): void;
  log: Pick<Logger, "info" | "warn" | "error">;
}

export class Preparation {
  readonly #parts: PreparationParts;
  #turn: Turn;
  /** It failed with the handler in place: in the self-test. */
  #failedWithHandler = false;

  constructor(parts: PreparationParts) {
    this.#parts = parts;
    this.#turn = turnAtStart(parts, readMark(parts.host));
  }

  get turn(): Turn {
    return this.#turn;
  }

  /** It is this node's turn. */
  begin(): Turn {
    if (this.#turn.state === "waiting") void this.#prepare();
    return this.#turn;
  }

  /** Once, when the agent listens: does what needs no turn. */
  async settle(): Promise<void> {
    const { installs, handler, proof, log } = this.#parts;
    const { installed, message, refused } = await handler();
    if (refused) return await this.#leaveAlone(message);
    if (!installs && !installed) log.warn("runtime handler not installed", { why: message });
    if (this.#turn.state === "failed") this.#failedWithHandler = installed;
    if (this.#turn.state !== "none") return await this.look();
    if (installs && !installed) this.#set({ state: "waiting" });
    else if (proof.isNew) await this.#prepare();
    else await proof.prove(handler);
  }

  /** Now and then: somebody may have put the handler in by hand, which leaves only what needs no turn. */
  async look(): Promise<void> {
    const { state } = this.#turn;
    if (state !== "waiting" && (state !== "failed" || this.#failedWithHandler)) return;
    const { installed } = await this.#parts.handler();
    if (installed && this.#turn.state === state) await this.#prepare();
  }

  /** Never rejects. */
  async #prepare(): Promise<void> {
    const { handler, log } = this.#parts;
    this.#set({ state: "preparing" });
    try {
      await this.#install();
      this.#keepMark(undefined);
      this.#set({ state: "none" });
      log.info("node prepared");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const { installed, refused } = await handler();
      if (refused) return await this.#leaveAlone(message);
      this.#failedWithHandler = installed;
      this.#keepMark({ failed: message });
      this.#set({ state: "failed", message });
      log.error("the node could not be prepared", { why: message });
    }
  }

  /** A node of a kind that is never edited: no failure, and no reason to stop the roll-out. Moves away from it still work. */
  async #leaveAlone(why: string | undefined): Promise<void> {
    const { handler, proof, log } = this.#parts;
    log.warn("runtime handler not installed", { why });
    this.#keepMark(undefined);
    this.#set({ state: "none" });
    await proof.prove(handler);
  }

  async #install(): Promise<void> {
    const { installs, install, handler, proof } = this.#parts;
    this.#keepMark({});
    await install();
    const { installed, message } = await handler();
    if (installs && !installed) throw new Error(message ?? "the runtime handler is not installed");
    await proof.prove(handler);
    const failed = proof.verdicts.find(({ kind, ok }) => kind === "root" && !ok);
    if (installs && failed) throw new Error(`its self-test failed: ${failed.message ?? "no container can be moved"}`);
  }

  #set(turn: Turn): void {
    this.#turn = turn;
    this.#parts.onChange(turn);
  }

  /** Without it, an agent that comes back knows less of what happened; that is no reason to fail. */
  #keepMark(mark: Mark | undefined): void {
    const { host, pod, log } = this.#parts;
    const file = host.path(MARK);
    try {
      if (mark === undefined) rmSync(file, { force: true });
      else writeDurably(file, JSON.stringify({ pod, ...mark }));
    } catch (error) {
      log.warn("how far the node is prepared could not be written down", { file, error: String(error) });
    }
  }
}

/** Why pods can't be moved to the node, in place of what containerd's configuration lacks; undefined: that is all there is to say. */
export function whyNotPrepared(turn: Turn): string | undefined {
  if (turn.state === "waiting") return "its agent waits for its turn to set up containerd; `headroom nodes` says why";
  return turn.state === "failed" ? `it could not be prepared: ${turn.message}` : undefined;
}

/** The node can be a target, or says why it is none: its agent is ready. */
export function isSettled({ state }: Turn): boolean {
  return state === "none" || state === "failed";
}

function turnAtStart({ installs, pod, wasInstalled }: PreparationParts, mark: Mark | undefined): Turn {
  if (!installs) return { state: "none" };
  if (mark === undefined) return { state: wasInstalled ? "none" : "waiting" };
  if (pod === undefined || mark.pod !== pod) return { state: "waiting" };
  return { state: "failed", message: mark.failed ?? "the agent ended while it prepared the node" };
}

function readMark(host: Host): Mark | undefined {
  const text = readIfThere(host.path(MARK));
  if (text === undefined) return undefined;
  try {
    return markSchema.parse(JSON.parse(text));
  } catch {
    return {}; // of another version, or damaged: it is tried again
  }
}
