/**
 * A simulated node's agent: the real HTTPS server, enrolment, epochs and records, in front of a simulated runtime. It can be
 * killed and started again; what an agent keeps on its node's disk, and what runs on the node, outlives it.
 */

import type { AgentIdentity } from "../../agent/identity.ts";
import { MemoryMoveRecords } from "../../agent/move-records.ts";
import type { NodeRuntime } from "../../agent/node-runtime.ts";
import { connectPeer } from "../../agent/peer.ts";
import { type AgentLog, AgentServer } from "../../agent/server.ts";

export interface AgentParts {
  node: string;
  runtime: () => NodeRuntime;
  /** Key and certificate are on the node's disk: the same identity in every incarnation. */
  identity: AgentIdentity;
  log?: AgentLog;
}

const SILENT: AgentLog = { info: () => {}, warn: () => {} };

export class SimulatedAgent {
  readonly #parts: AgentParts;
  readonly #records = new MemoryMoveRecords();
  #server: AgentServer | undefined;
  /** 0 until the first start; the same port ever after. */
  #port = 0;

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  get port(): number {
    return this.#port;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  async start(): Promise<void> {
    const { node, runtime, identity, log } = this.#parts;
    const server = new AgentServer({
      node,
      runtime: runtime(),
      records: this.#records,
      identity,
      connectPeer: connectPeer(identity),
      log: log ?? SILENT,
    });
    await server.start({ host: "127.0.0.1", port: this.#port });
    this.#port = server.port;
    this.#server = server;
  }

  /** As by SIGKILL: connections break, nothing is answered any more. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }
}
