/** Who has to go when a node's memory runs out: as the kernel and the kubelet choose. Pure. */
import { compareText } from "../../planning/order.ts";
import type { SimulatedPod } from "../scenario.ts";

/** Something that uses memory on a node. */
export interface Consumer {
  key: string;
  spec: Pick<SimulatedPod, "requestBytes" | "limitBytes" | "priority">;
  bytes: number;
}

export type QualityOfService = "Guaranteed" | "Burstable" | "BestEffort";

/** As far as memory tells; of CPU the simulator knows nothing. */
export function qualityOfService({ requestBytes, limitBytes }: Consumer["spec"]): QualityOfService {
  if (requestBytes === 0 && limitBytes === undefined) return "BestEffort";
  return requestBytes === limitBytes ? "Guaranteed" : "Burstable";
}

/** What the kubelet sets for a container: pkg/kubelet/qos/policy.go, GetContainerOOMScoreAdjust. */
export function oomScoreAdjust(spec: Consumer["spec"], capacityBytes: number): number {
  switch (qualityOfService(spec)) {
    case "Guaranteed":
      return -997;
    case "BestEffort":
      return 1000;
    case "Burstable":
      // Never as safe as a guaranteed pod, never as doomed as a best-effort one.
      return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * spec.requestBytes) / capacityBytes)));
  }
}

/** The kernel's mm/oom_kill.c, oom_badness: memory, and for each point of the adjustment a thousandth of all memory. */
export function badness(consumer: Consumer, capacityBytes: number): number {
  return consumer.bytes + (oomScoreAdjust(consumer.spec, capacityBytes) * capacityBytes) / 1000;
}

/** Whom the kernel kills: the one of the greatest badness. Undefined: nobody uses memory. */
export function kernelVictim<C extends Consumer>(consumers: Iterable<C>, capacityBytes: number): C | undefined {
  let victim: C | undefined;
  let worst = Number.NEGATIVE_INFINITY;
  for (const consumer of consumers) {
    if (consumer.bytes <= 0) continue;
    const points = badness(consumer, capacityBytes);
    const tie = points === worst && victim !== undefined && compareText(consumer.key, victim.key) < 0;
    if (points > worst || tie) [victim, worst] = [consumer, points];
  }
  return victim;
}

/**
 * The kubelet's order of eviction, pkg/kubelet/eviction/helpers.go, rankMemoryPressure: those above their request first, then the
 * lowest priority, then those furthest above their request.
 */
export function compareForEviction(a: Consumer, b: Consumer): number {
  const over = ({ bytes, spec }: Consumer) => bytes - spec.requestBytes;
  return (
    Number(over(b) > 0) - Number(over(a) > 0) ||
    (a.spec.priority ?? 0) - (b.spec.priority ?? 0) ||
    over(b) - over(a) ||
    compareText(a.key, b.key)
  );
}
