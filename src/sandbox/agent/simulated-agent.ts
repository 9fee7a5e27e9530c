/**
 * A simulated node's agent: the real HTTPS server, enrolment, epochs and records, in front of a simulated runtime. It can be
 * killed and started again; what an agent keeps on its node's disk, and what runs on the node, outlives it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EnrolledIdentity } from "../../agent/enrolled-identity.ts";
import type { FinishedMove } from "../../agent/finished-moves.ts";
import { MemoryMoveRecords, type MoveRecords, type Role, type StoredRecord } from "../../agent/move-records.ts";
import type { NodeRuntime } from "../../agent/node-runtime.ts";
import { connectPeer } from "../../agent/peer.ts";
import { type AgentLog, AgentServer } from "../../agent/server.ts";

export interface AgentParts {
  node: string;
  /** A runtime for each incarnation; its signal is aborted when the agent is killed. */
  runtime: (killed: AbortSignal) => NodeRuntime;
  /** The node's disk: key, certificate, and what a pod would have mounted. */
  directory: string;
  now: () => number;
  log?: AgentLog;
}

const SILENT: AgentLog = { info: () => {}, warn: () => {} };

export class SimulatedAgent {
  readonly node: string;
  readonly #parts: AgentParts;
  readonly #records = new MemoryMoveRecords();
  #server: AgentServer | undefined;
  #identity: EnrolledIdentity | undefined;
  #killed = new AbortController();
  /** 0 until the first start; the same port ever after. */
  #port = 0;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.node = parts.node;
    mkdirSync(parts.directory, { recursive: true, mode: 0o700 });
  }

  get port(): number {
    return this.#port;
  }

  /** Moves that it still has on record. */
  get moves(): StoredRecord[] {
    return this.#records.list();
  }

  /** It has a certificate of the published authority. */
  get enrolled(): boolean {
    return this.#identity?.enrolled() ?? false;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  /** What the pod mounts: the authority that the controller published, and the token that tells who this agent is. */
  mount(file: "ca.crt" | "token", content: string): void {
    writeFileSync(join(this.#parts.directory, file), content, { mode: 0o600 });
  }

  /** `ca.crt` must be mounted. */
  async start(): Promise<void> {
    const { node, runtime, directory, now, log } = this.#parts;
    const identity = await EnrolledIdentity.load({
      node,
      directory,
      authorityFile: join(directory, "ca.crt"),
      tokenFile: join(directory, "token"),
      now,
    });
    this.#identity = identity;
    this.#killed = new AbortController();
    const { signal } = this.#killed;
    const parts = { node, runtime: runtime(signal), records: new MortalRecords(this.#records, signal), identity };
    const server = new AgentServer({ ...parts, connectPeer: connectPeer(identity), log: log ?? SILENT });
    await server.start({ host: "127.0.0.1", port: this.#port });
    this.#port = server.port;
    this.#server = server;
  }

  /** Off the network, or on it again: it goes on with its steps, and nobody reaches it. */
  async cutOff(isCutOff: boolean): Promise<void> {
    if (isCutOff) await this.#server?.stop();
    else await this.#server?.start({ host: "127.0.0.1", port: this.#port });
  }

  /** As by SIGKILL: connections break, nothing is answered any more. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#killed.abort(new Error("the agent was killed"));
    await server?.stop();
  }
}

/** The records on the node's disk, as one incarnation sees them: what is left of it after its death writes nothing. */
class MortalRecords implements MoveRecords {
  readonly #disk: MoveRecords;
  readonly #killed: AbortSignal;

  constructor(disk: MoveRecords, killed: AbortSignal) {
    this.#disk = disk;
    this.#killed = killed;
  }

  list(): StoredRecord[] {
    return this.#disk.list();
  }

  get(moveUID: string, role: Role): StoredRecord | undefined {
    return this.#disk.get(moveUID, role);
  }

  save(record: StoredRecord): void {
    this.#killed.throwIfAborted();
    this.#disk.save(record);
  }

  highestEpoch(): number {
    return this.#disk.highestEpoch();
  }

  noteEpoch(epoch: number): void {
    this.#killed.throwIfAborted();
    this.#disk.noteEpoch(epoch);
  }

  finish(moveUID: string, role: Role, results: StoredRecord["results"]): void {
    this.#killed.throwIfAborted();
    this.#disk.finish(moveUID, role, results);
  }

  finished(moveUID: string, role: Role): FinishedMove | undefined {
    return this.#disk.finished(moveUID, role);
  }
}
