/** What nodes do when memory runs out: the kernel at every tick, the kubelet whenever it looks. */
import type { Moves } from "./moves.ts";
import type { NodeRun } from "./node-run.ts";
import { type Consumer, compareForEviction, kernelVictim } from "./out-of-memory.ts";
import type { PodLives } from "./pod-lives.ts";
import type { PodRun } from "./pod-run.ts";

export interface ShortageContext {
  lives: PodLives;
  moves: Moves;
  evictionBytes: number;
}

interface Candidate extends Consumer {
  end(): void;
}

const byName = (pods: Iterable<PodRun>) => [...pods].sort((a, b) => (a.key < b.key ? -1 : 1));

/** Kills above limits, then while the node uses more than it has. */
export function killWhatExceeds(node: NodeRun, at: number, context: ShortageContext): void {
  const usedBytes = node.observe(at);
  if (node.limitExceeded) killAboveLimits(node, at, context);
  if (usedBytes > node.capacityBytes) killUntilItFits(node, at, context);
}

function killAboveLimits(node: NodeRun, at: number, { lives }: ShortageContext): void {
  node.limitExceeded = false;
  for (const pod of byName(node.pods)) if (pod.exceedsLimit(at)) lives.kill(pod, at, "OverLimit");
}

function killUntilItFits(node: NodeRun, at: number, { lives, moves }: ShortageContext): void {
  while (node.usedAt(at) > node.capacityBytes) {
    const restored = moves.restoredOn(node).map<Candidate>((move) => ({
      key: move.pod.key,
      spec: move.pod.spec,
      bytes: move.bytes,
      end: () => move.abandon(at, "Lost"),
    }));
    const running = Array.from(node.pods, (pod) => candidate(pod, at, () => lives.kill(pod, at, "NodeOutOfMemory")));
    const victim = kernelVictim([...running, ...restored], node.capacityBytes);
    if (victim === undefined) return;
    victim.end();
  }
}

function candidate(pod: PodRun, at: number, end: () => void): Candidate {
  return { key: pod.key, spec: pod.spec, bytes: pod.bytesAt(at), end };
}

/** One pod each time it looks: then it sees whether that was enough. `evictionBytes` 0: never, even where more is used than there is. */
export function evictWhenShort(node: NodeRun, at: number, { lives, evictionBytes }: ShortageContext): void {
  if (evictionBytes <= 0 || node.capacityBytes - node.usedAt(at) >= evictionBytes) return;
  const running = Array.from(node.pods, (pod) => candidate(pod, at, () => lives.evict(pod, at)));
  const [first] = running.filter(({ bytes }) => bytes > 0).sort(compareForEviction);
  first?.end();
}
