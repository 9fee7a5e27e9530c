/** All placement strategies; the first is the default. */
import { mostFree } from "./most-free.ts";

export const PLACEMENT_STRATEGIES = [mostFree] as const;
