/**
 * `headroom controller` with elections that are over at once: a successor takes over within a tenth of a second of the lease
 * becoming free. All else is as the command puts it together.
 */
import { registerControllers } from "../../../src/cli/register-controllers.ts";
import { readControllerConfig } from "../../../src/config/controller-config.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { loadKubeConfig } from "../../../src/kube/kube-config.ts";
import { HeadroomOperator } from "../../../src/kube/operator.ts";
import { winstonLogger } from "../../../src/logging/winston-logger.ts";

const config = readControllerConfig({ flags: {}, env: process.env });
const operator = new HeadroomOperator({
  config: loadKubeConfig(),
  logger: winstonLogger({ level: "info", format: "json", colour: false, secrets: [] }),
  clock: systemClock,
  namespace: config.namespace,
  identity: config.podName ?? "controller",
  election: { durationMs: 15_000, renewWithinMs: 10_000, retryMs: 50 },
});
registerControllers(operator, config);
await operator.start();
