/** All pressure strategies; the first is the default. */
import { forecast } from "./forecast.ts";
import { slope } from "./slope.ts";
import { threshold } from "./threshold.ts";

export const PRESSURE_STRATEGIES = [threshold, slope, forecast] as const;
