/** A folder that stands for a node's root: what the agent reads and writes there. No program of the node runs. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Host } from "../../../src/agent/host/host.ts";

export interface NodeFolder {
  root: string;
  host: Host;
  /** `path` as the node names it. */
  write(path: string, content: string): void;
}

export function nodeFolder(): NodeFolder {
  const root = mkdtempSync(join(tmpdir(), "node-"));
  const path = (hostPath: string) => join(root, hostPath);
  return {
    root,
    host: { path, command: () => ({ file: "true", args: [] }), environment: () => ({}) },
    write: (hostPath, content) => {
      mkdirSync(dirname(path(hostPath)), { recursive: true });
      writeFileSync(path(hostPath), content);
    },
  };
}
