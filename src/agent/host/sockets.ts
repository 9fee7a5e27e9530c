/** Sockets of running processes, asked by copies of their descriptors (`./sockets.pl`). */
import { fileURLToPath } from "node:url";
import type { SourceFacts } from "../protocol.ts";
import { type Group, runGrouped } from "./grouped.ts";
import { withHint } from "./process-obstacles.ts";

const PROGRAM = fileURLToPath(new URL("./sockets.pl", import.meta.url));

/** Sockets that CRIU cannot carry. */
export async function socketObstacles(group: Group, pids: readonly number[]): Promise<SourceFacts["obstacles"]> {
  const printed = await runGrouped(group, ["perl", PROGRAM, "kinds", ...pids.map(String)]);
  const lines = printed.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [pid = "", ...kind] = line.split(" ");
    const what = kind.join(" ");
    return { reason: "Socket", message: withHint(`process ${pid} has a socket that cannot be moved: ${what}`, what) };
  });
}

/** Takes TCP sockets out of the repair mode in which a CRIU that was killed has left them: they would send nothing any more. */
export async function cureSockets(group: Group, pids: readonly number[]): Promise<void> {
  await runGrouped(group, ["perl", PROGRAM, "cure", ...pids.map(String)]);
}
