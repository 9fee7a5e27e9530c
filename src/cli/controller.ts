/** `headroom controller`: the operator with both controllers, its probes, and an end that leaves nothing half done. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setFlagsFromString } from "node:v8";
import { type Command, Option } from "commander";
import { type ControllerConfig, controllerSettings, readControllerConfig } from "../config/controller-config.ts";
import type { Setting } from "../config/settings.ts";
import { systemClock } from "../kube/clock.ts";
import { loadKubeConfig } from "../kube/kube-config.ts";
import { OperatorMetrics } from "../kube/metrics.ts";
import { HeadroomOperator } from "../kube/operator.ts";
import { startProbeServer } from "../kube/probe-server.ts";
import type { Logger } from "../logging/logger.ts";
import { resolveFormat, winstonLogger } from "../logging/winston-logger.ts";
import { endOnLostFailures } from "./lost-failures.ts";
import { registerControllers } from "./register-controllers.ts";
import { hasColour } from "./terminal.ts";

/** A reconcile that still hangs after an orderly stop must not keep the process. */
const LINGER_MS = 1_000;

export function addControllerCommand(program: Command): void {
  const command = program
    .command("controller")
    .description("run the controller: evaluates policies and carries out moves (one active replica, by a Lease)");
  for (const setting of Object.values(controllerSettings)) addSetting(command, setting);
  command.addHelpText("after", `\nBy the environment alone: ${environmentOnly()}`);
  command.action((flags: Record<string, unknown>) => runController(readControllerConfig({ flags, env: process.env })));
}

function addSetting(command: Command, { flag, env, description, fallback }: Setting<unknown>): void {
  if (!flag) return;
  const standard = fallback === undefined || typeof fallback === "object" ? "" : `; default ${fallback}`;
  command.addOption(new Option(flag, `${description} (environment: ${env}${standard})`));
}

function environmentOnly(): string {
  const settings: Setting<unknown>[] = Object.values(controllerSettings);
  return settings.flatMap(({ flag, env, description }) => (flag ? [] : [`${env} (${description})`])).join(", ");
}

async function runController(config: ControllerConfig): Promise<void> {
  // A controller makes little garbage: a young generation of 3 MiB in place of 48 does.
  setFlagsFromString("--max-semi-space-size=1");
  const logger = loggerFor(config);
  endOnLostFailures(logger);
  // The operator's base class loads the default kubeconfig by itself.
  if (config.kubeconfig) process.env.KUBECONFIG = config.kubeconfig;
  const metrics = new OperatorMetrics().withProcessMetrics();
  const operator = new HeadroomOperator({
    config: loadKubeConfig({ context: config.context }),
    logger,
    clock: systemClock,
    namespace: config.namespace,
    identity: `${config.podName ?? hostname()}_${randomUUID().slice(0, 8)}`,
    // A container starts again in its pod only after its former process has ended.
    hasEnded: (holder) => config.podName !== undefined && holder.startsWith(`${config.podName}_`),
    metrics,
  });
  const connections = registerControllers(operator, config);
  const probes = await startProbeServer({
    port: config.httpPort,
    ...(config.httpHost ? { host: config.httpHost } : {}),
    registry: metrics.registry,
    unhealthy: () => healthSaid(operator, logger),
    notReady: () => operator.notReady,
  });
  const { influx, namespace } = config;
  logger.info("controller started", { namespace, httpPort: probes.port, influxdb: influx?.url ?? "not configured" });
  await untilSignalled(operator, logger);
  await connections.close();
  await probes.close();
}

/** The kubelet shows only that the probe failed: the log says why. */
function healthSaid({ unhealthy }: HeadroomOperator, logger: Logger): string | undefined {
  if (unhealthy !== undefined) logger.error("unhealthy: waiting to be restarted", { why: unhealthy });
  return unhealthy;
}

/** Runs until SIGTERM or SIGINT, then stops in order; a second signal ends the process at once. */
async function untilSignalled(operator: HeadroomOperator, logger: Logger): Promise<void> {
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
  await operator.start();
  const signal = await signalled;
  logger.info("stopping", { signal });
  await operator.stop();
  logger.info("stopped");
  // The lease is given up: a request that hangs must not keep this process, which the kubelet would kill half a minute later. Unref'd: seldom needed.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function loggerFor(config: ControllerConfig): Logger {
  return winstonLogger({
    level: config.logLevel,
    format: resolveFormat(config.logFormat, process.stderr.isTTY === true),
    colour: hasColour(process.stderr),
    secrets: config.influx ? [config.influx.token] : [],
  });
}
