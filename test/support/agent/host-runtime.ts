/** The agent's real runtime, over a node that a test has made. */
import type { Host } from "../../../src/agent/host/host.ts";
import { HostRuntime } from "../../../src/agent/host/host-runtime.ts";

/** Its limits are milliseconds: nothing waits. */
export function hostRuntimeOn(host: Host): HostRuntime {
  return new HostRuntime({
    host,
    criu: undefined,
    preparation: { turn: { state: "none" }, begin: () => ({ state: "none" }) },
    verdicts: () => [],
    agentVersion: "0",
    nodeAddress: "127.0.0.1",
    stagingBudget: { bytes: 1 },
    dumpMs: 1,
    handler: async () => ({ installed: true }),
    restore: { createMs: 1, restoreMs: 1, startMs: 1 },
    warn: () => {},
  });
}
