/**
 * How well nodes were foreseen: each bound that planning gave is held against what the node uses when its moment has come. A node whose memory
 * a move has changed in between is passed over: the bound was of the node as it was.
 */
import type { NodeFinding } from "../../planning/decision.ts";
import type { Policy } from "../../planning/policy.ts";
import type { ForecastRecord } from "../run-record.ts";
import type { EventQueue } from "./event-queue.ts";
import type { NodeRun } from "./node-run.ts";
import { toSeconds } from "./start.ts";

export interface ForecastTally {
  /** @param findings of policies that are due: the others have findings too, and do not go by them */
  note(findings: readonly NodeFinding[], nodes: ReadonlyMap<string, NodeRun>): void;
  readonly record: ForecastRecord;
}

/** Of the first policy that forecasts; undefined: none does. */
export function forecastTally(policies: readonly Policy[], queue: EventQueue): ForecastTally | undefined {
  const policy = policies.find(({ pressure }) => pressure.forecast !== undefined);
  const confidence = policy?.pressure.forecast?.confidence;
  if (policy === undefined || confidence === undefined) return undefined;
  const record: ForecastRecord = { confidence, foreseen: 0, covered: 0, pinballByteSum: 0 };
  const compare = (node: NodeRun, boundBytes: number, at: number) => {
    const over = node.usedAt(at) - boundBytes;
    record.foreseen += 1;
    if (over <= 0) record.covered += 1;
    record.pinballByteSum += over > 0 ? confidence * over : (confidence - 1) * over;
  };
  return {
    record,
    note(findings, nodes) {
      for (const { name, policy: by, bound } of findings) {
        const node = nodes.get(name);
        if (bound === undefined || node === undefined || by !== policy.name) continue;
        const { steps } = node;
        queue.put(toSeconds(bound.atMs), "Sample", (at) => {
          if (node.steps === steps) compare(node, bound.bytes, at);
        });
      }
    },
  };
}
