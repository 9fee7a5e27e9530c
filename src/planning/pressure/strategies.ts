/** All pressure strategies; the first is the default. */
import { slope } from "./slope.ts";
import { threshold } from "./threshold.ts";

export const PRESSURE_STRATEGIES = [threshold, slope] as const;
