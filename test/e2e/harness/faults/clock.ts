/** Steps the clock of Headroom's own programs: a kernel has one clock, so the wall clock is shifted inside of them (see ../clock.mjs). */
import { rmSync, writeFileSync } from "node:fs";
import type { V1Pod } from "@kubernetes/client-node";
import type { Machine } from "../../cluster/machine.ts";
import { CLOCK_IN_IMAGE, FAILPOINT_IN_IMAGE, temporaryFolder } from "../headroom.ts";
import type { Undo } from "./undo.ts";

/** What controllers and agents are installed with (`extraEnv`) so that their clock can be stepped and they can be held at a write. */
export const PRELOADED_WITH_CLOCK = [
  { name: "NODE_OPTIONS", value: `--import=${FAILPOINT_IN_IMAGE} --import=${CLOCK_IN_IMAGE}` },
];

/**
 * The wall clock of a controller or an agent goes wrong by so many milliseconds within 200 ms, and stays so when its container is started again. It must
 * have been installed with `PRELOADED_WITH_CLOCK`. Timers are not affected, as with a real clock.
 */
export function stepClock(machine: Machine, pod: V1Pod, milliseconds: number): Undo {
  const file = `${temporaryFolder(pod)}/clock-offset`;
  writeFileSync(machine.path(file), String(milliseconds));
  return async () => rmSync(machine.path(file), { force: true });
}
