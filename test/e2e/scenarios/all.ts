/** Every scenario, in the order in which they run. Neighbours with the same nodes share a cluster; `c` leaves one node without an image. */
import type { Scenario } from "../harness/scenario.ts";
import { pressure } from "./a-pressure.ts";
import { owners } from "./b-owners.ts";
import { restoreFails } from "./c-restore-fails.ts";
import { contract } from "./contract.ts";
import { interruptions, shortTimeout } from "./d-interruptions.ts";
import { dryRun } from "./e-dry-run.ts";
import { badPolicies } from "./f-bad-policies.ts";
import { forecast } from "./forecast.ts";
import { influxdb } from "./g-influxdb.ts";
import { uninstall } from "./h-uninstall.ts";
import { stockKernel } from "./i-stock-kernel.ts";
import { moves } from "./moves.ts";
import { smoke } from "./smoke.ts";
import { speed } from "./speed.ts";

export const scenarios: readonly Scenario[] = [
  smoke,
  contract,
  pressure,
  moves,
  speed,
  owners,
  badPolicies,
  restoreFails,
  interruptions,
  shortTimeout,
  dryRun,
  forecast,
  influxdb,
  uninstall,
  stockKernel,
];
