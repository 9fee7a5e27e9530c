/** The way to the agent on a move's target, for the files. It is opened before the freeze. */
import type { Readable } from "node:stream";
import { AgentClient } from "./agent-client.ts";
import type { AgentIdentity } from "./identity.ts";
import { measureLink, PROBE_PART } from "./link.ts";
import type { FilePart, Peer } from "./node-runtime.ts";
import type { DumpTarget } from "./protocol.ts";

/** Files, layer and images go side by side. */
const CONNECTIONS = 4;
const WARM_CONNECTIONS = 3;
/** Longest time that one part may take: as long as a move (spec.timeout). The controller gives up earlier what stands still. */
const PUT_LIMIT_MS = 86_400_000;

export function connectPeer(identity: AgentIdentity): (moveUID: string, target: DumpTarget) => Peer {
  return (moveUID, target) => {
    const to = { node: target.node, address: target.address, port: target.agentPort };
    const client = new AgentClient(to, identity.credentials(), { connections: CONNECTIONS });
    const put = async (query: string, body: Readable | Uint8Array, signal: AbortSignal) => {
      const path = `/v1/moves/${moveUID}/target/files?part=${query}`;
      const headers = { authorization: `Bearer ${target.token}` };
      return await client.call({ method: "PUT", path, stream: body, headers, timeoutMs: PUT_LIMIT_MS, signal });
    };
    return {
      open: () => client.warm(WARM_CONNECTIONS),
      put: async (part, body, signal) => {
        await put(queryOf(part), body, signal);
      },
      measure: (signal) => measureLink((body, ended) => put(PROBE_PART, body, ended), signal),
      close: () => client.close(),
    };
  };
}

function queryOf(part: FilePart): string {
  return part.part === "empty-dir" ? `${part.part}&name=${encodeURIComponent(part.name)}` : part.part;
}
