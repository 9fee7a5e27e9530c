/** The cluster that chaos is played on. */
import { PRELOADED_WITH_CLOCK as extraEnv } from "../harness/faults.ts";
import type { Place } from "../harness/stage.ts";

export const PLACE: Place = {
  nodeMemoryMiB: [4096, 4096, 4096],
  diskInodes: 20_000,
  headroom: { controller: { extraEnv }, agent: { extraEnv } },
};
