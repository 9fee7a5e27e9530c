/** The way to the agent on a move's target, for the files. It is opened before the freeze. */
import type { Readable } from "node:stream";
import { AgentClient } from "./agent-client.ts";
import type { AgentIdentity } from "./identity.ts";
import type { FilePart, Peer } from "./node-runtime.ts";
import type { DumpTarget } from "./protocol.ts";

/** Files, layer and images go side by side. */
const CONNECTIONS = 4;
const WARM_CONNECTIONS = 3;
/** Longest time that one part may take: as long as a whole dump. */
const PUT_LIMIT_MS = 600_000;

export function connectPeer(identity: AgentIdentity): (moveUID: string, target: DumpTarget) => Peer {
  return (moveUID, target) => {
    const to = { node: target.node, address: target.address, port: target.agentPort };
    const client = new AgentClient(to, identity.credentials(), { connections: CONNECTIONS });
    return {
      open: () => client.warm(WARM_CONNECTIONS),
      put: async (part: FilePart, body: Readable | Uint8Array, signal: AbortSignal) => {
        const headers = { authorization: `Bearer ${target.token}` };
        const limits = { timeoutMs: PUT_LIMIT_MS, signal };
        await client.call({ method: "PUT", path: pathOf(moveUID, part), stream: body, headers, ...limits });
      },
      close: () => client.close(),
    };
  };
}

function pathOf(moveUID: string, part: FilePart): string {
  const name = part.part === "empty-dir" ? `&name=${encodeURIComponent(part.name)}` : "";
  return `/v1/moves/${moveUID}/target/files?part=${part.part}${name}`;
}
