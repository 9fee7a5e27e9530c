import type { AgentIdentity } from "../../agent/identity.ts";
import type { SandboxApiServer } from "../api-server/server.ts";

export function sandboxIdentity(_server: SandboxApiServer, node: string): Promise<AgentIdentity> {
  throw new Error(`no identity for ${node}`);
}
