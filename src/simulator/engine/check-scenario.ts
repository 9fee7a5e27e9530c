/** What the engine relies on. Readers of files refuse wrong input with line and field; this is for scenarios made otherwise. */
import type { Scenario, Trace } from "../scenario.ts";

/** Throws a RangeError that names what is wrong. */
export function checkScenario({ nodes, pods, conditions, endSeconds }: Scenario): void {
  require(endSeconds > 0 && Number.isFinite(endSeconds), `endSeconds must be positive: ${endSeconds}`);
  const steps = {
    tickSeconds: conditions.tickSeconds,
    "metrics.intervalSeconds": conditions.metrics.intervalSeconds,
    "kubelet.intervalSeconds": conditions.kubelet.intervalSeconds,
  };
  for (const [name, value] of Object.entries(steps)) {
    require(value > 0 && Number.isFinite(value), `conditions.${name} must be positive: ${value}`);
  }
  requireDistinct(
    "node",
    nodes.map(({ name }) => name),
  );
  requireDistinct(
    "pod",
    pods.map(({ namespace, name }) => `${namespace}/${name}`),
  );
  for (const { name, capacityBytes } of nodes) {
    require(capacityBytes > 0 &&
      Number.isFinite(capacityBytes), `node ${name}: capacity must be positive: ${capacityBytes}`);
  }
  for (const { namespace, name, arrivalSeconds, durationSeconds, trace } of pods) {
    const pod = `pod ${namespace}/${name}`;
    require(arrivalSeconds >= 0, `${pod}: arrivalSeconds must not be negative: ${arrivalSeconds}`);
    require(durationSeconds === undefined ||
      durationSeconds > 0, `${pod}: durationSeconds must be positive: ${durationSeconds}`);
    checkTrace(pod, trace);
  }
}

function checkTrace(pod: string, { seconds, bytes }: Trace): void {
  const message = `${pod}: its trace must have as many bytes as seconds, at least one`;
  require(seconds.length > 0 && seconds.length === bytes.length, message);
  require(seconds[0] === 0, `${pod}: its trace must begin at 0`);
  const negative = bytes.findIndex((value) => !(value >= 0));
  require(negative < 0, `${pod}: trace.bytes[${negative}] must not be negative: ${bytes[negative]}`);
  const early = seconds.findIndex((value, index) => index > 0 && !(value > (seconds[index - 1] ?? 0)));
  require(early < 0, `${pod}: trace.seconds[${early}] must be after the one before: ${seconds[early]}`);
}

function requireDistinct(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    require(!seen.has(name), `${what} ${name} is listed more than once`);
    seen.add(name);
  }
}

function require(holds: boolean, message: string): void {
  if (!holds) throw new RangeError(message);
}
