/** All pressure strategies; the first is the default. */
import { threshold } from "./threshold.ts";

export const PRESSURE_STRATEGIES = [threshold] as const;
