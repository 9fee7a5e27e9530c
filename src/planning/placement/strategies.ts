/** All placement strategies; the first is the default. */
import { bestFit } from "./best-fit.ts";
import { leastLoaded } from "./least-loaded.ts";
import { mostFree } from "./most-free.ts";
import { mostHeadroom } from "./most-headroom.ts";

export const PLACEMENT_STRATEGIES = [mostFree, bestFit, leastLoaded, mostHeadroom] as const;
