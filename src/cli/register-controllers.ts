/** Puts the controllers together from their parts. */
import type { ControllerConfig } from "../config/controller-config.ts";
import { figureCollector } from "../controllers/migration-policy/collect-figures.ts";
import { migrationPolicyController } from "../controllers/migration-policy/controller.ts";
import type { HeadroomOperator } from "../kube/operator.ts";
import { createMetricsSources } from "../metrics/sources.ts";

export async function registerControllers(operator: HeadroomOperator, config: ControllerConfig): Promise<void> {
  const { context } = operator;
  const { client: kube, clock, stores } = context;
  const sources = createMetricsSources({ kube, clock, influx: config.influx, kubeletSummary: config.kubeletSummary });
  const collect = figureCollector(sources, stores, () => clock.now());
  operator.register(migrationPolicyController(context, collect));
}
