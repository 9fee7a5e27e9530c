/** All pacing strategies; the first is the default. */
import { blocking } from "./blocking.ts";
import { concurrent } from "./concurrent.ts";

export const PACING_STRATEGIES = [blocking, concurrent] as const;
