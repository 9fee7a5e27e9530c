/** All pacing strategies; the first is the default. */
import { blocking } from "./blocking.ts";

export const PACING_STRATEGIES = [blocking] as const;
