/** Every scenario, in the order in which they run. */
import type { Scenario } from "../harness/scenario.ts";
import { smoke } from "./smoke.ts";

export const scenarios: readonly Scenario[] = [smoke];
