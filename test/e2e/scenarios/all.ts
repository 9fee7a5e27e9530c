/** Every scenario, in the order in which they run. Neighbours with the same nodes share a cluster; `c` leaves one node without an image. */
import type { Scenario } from "../harness/scenario.ts";
import { pressure } from "./a-pressure.ts";
import { admission } from "./admission.ts";
import { apps } from "./apps.ts";
import { owners } from "./b-owners.ts";
import { brokenDumps, manyBrokenDumps } from "./broken-dumps.ts";
import { restoreFails } from "./c-restore-fails.ts";
import { chaos } from "./chaos.ts";
import { contract } from "./contract.ts";
import { away } from "./d-away.ts";
import { endings } from "./d-endings.ts";
import { interruptions, shortTimeout } from "./d-interruptions.ts";
import { dryRun } from "./e-dry-run.ts";
import { badPolicies } from "./f-bad-policies.ts";
import { files, manyFiles } from "./files.ts";
import { flood } from "./flood.ts";
import { forecast } from "./forecast.ts";
import { influxdb } from "./g-influxdb.ts";
import { uninstall } from "./h-uninstall.ts";
import { stockKernel } from "./i-stock-kernel.ts";
import { isolation } from "./isolation.ts";
import { moves } from "./moves.ts";
import { open } from "./open.ts";
import { slowLink } from "./slow-link.ts";
import { smoke } from "./smoke.ts";
import { speed } from "./speed.ts";
import { stock } from "./stock.ts";
import { turns } from "./turns.ts";

export const scenarios: readonly Scenario[] = [
  smoke,
  contract,
  pressure,
  moves,
  open,
  speed,
  owners,
  isolation,
  admission,
  files,
  manyFiles,
  flood,
  brokenDumps,
  manyBrokenDumps,
  slowLink,
  badPolicies,
  restoreFails,
  interruptions,
  endings,
  away,
  shortTimeout,
  dryRun,
  forecast,
  influxdb,
  chaos,
  uninstall,
  turns,
  stockKernel,
  stock,
  apps,
];
