/** What a pod's probes make of a frozen process. Pure; milliseconds. The defaults are Kubernetes' own. */
import type { V1Probe } from "@kubernetes/client-node";
import type { Pod } from "../../../kube/resources.ts";
import type { Wire } from "../../../kube/wire.ts";

type Probe = Wire<V1Probe>;

/**
 * The longest freeze after which the kubelet does not restart the container; undefined without a liveness probe. In the
 * worst case a probe is sent just as the process stops; the last of `failureThreshold` failures in a row is then known
 * (failureThreshold − 1) periods and one timeout later.
 */
export function livenessForgivesMs(pod: Pod): number | undefined {
  const probes = pod.spec.containers.map((container) => container.livenessProbe).filter((probe) => probe !== undefined);
  if (probes.length === 0) return undefined;
  return Math.min(...probes.map(surelyFailedMs));
}

/**
 * From the release until the copy is Ready, or the frozen source is not, whichever comes first. An exec probe can't be started
 * in a frozen container; the kubelet takes no notice of that, and the source stays Ready.
 */
export function swapDelayMs(pod: Pod): number {
  return Math.max(0, ...pod.spec.containers.map(({ readinessProbe }) => (readinessProbe ? swapMs(readinessProbe) : 0)));
}

function swapMs(probe: Probe): number {
  const period = (probe.periodSeconds ?? 10) * 1000;
  const copyReady = (probe.initialDelaySeconds ?? 0) * 1000 + (probe.successThreshold ?? 1) * period;
  const sourceNotReady = probe.exec ? Number.POSITIVE_INFINITY : period + surelyFailedMs(probe);
  return Math.min(copyReady, sourceNotReady);
}

function surelyFailedMs(probe: Probe): number {
  const period = probe.periodSeconds ?? 10;
  return ((probe.failureThreshold ?? 3) - 1) * period * 1000 + (probe.timeoutSeconds ?? 1) * 1000;
}
