/** Puts the controllers together from their parts. */
import type { CheckpointDriver } from "../checkpointing/driver.ts";
import type { ControllerConfig } from "../config/controller-config.ts";
import { agentConnections } from "../controllers/agent-enrolment/controller.ts";
import { placementNow } from "../controllers/migration-policy/choose-placement.ts";
import { figureCollector } from "../controllers/migration-policy/collect-figures.ts";
import { migrationPolicyController } from "../controllers/migration-policy/controller.ts";
import { freezeNow } from "../controllers/migration-policy/expect-freeze.ts";
import { nodeReportsController } from "../controllers/node-reports/controller.ts";
import type { NodeReport } from "../controllers/node-reports/report.ts";
import { podMigrationController } from "../controllers/pod-migration/controller.ts";
import { leftoversController } from "../controllers/pod-migration/leftovers.ts";
import type { HeadroomOperator } from "../kube/operator.ts";
import { createMetricsSources } from "../metrics/sources.ts";

/**
 * Returns what is to be closed when the operator has stopped.
 * @param around puts something around the way to the agents, for tests.
 */
export function registerControllers(
  operator: HeadroomOperator,
  config: ControllerConfig,
  around: (driver: CheckpointDriver) => CheckpointDriver = (driver) => driver,
): { close(): Promise<void> } {
  const { context } = operator;
  const { client: kube, clock, stores } = context;
  const sources = createMetricsSources({ kube, clock, influx: config.influx, kubeletSummary: config.kubeletSummary });
  const collect = figureCollector(sources, stores, () => clock.now());
  const { driver, enrolment, whenOpen } = agentConnections(context);
  const reports = new Map<string, NodeReport>();
  const choosePlacement = placementNow(context, collect, reports);
  const own = around(driver);
  const outside = { driver: own, choosePlacement, expectFreeze: freezeNow(stores) };
  operator.register(enrolment);
  operator.register(whenOpen(podMigrationController(context, { ...outside, caps: config.moveCaps })));
  operator.register(whenOpen(leftoversController(context, own)));
  operator.register(whenOpen(nodeReportsController(context, own, { share: config.rollOutShare, known: reports })));
  operator.register(migrationPolicyController(context, collect, reports));
  return driver;
}
