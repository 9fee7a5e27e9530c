/** A policy as planning reads it: parsed once, numbers and functions inside. */
import type { z } from "zod";
import { type Amount, admitted, parseAmount, parseDuration, parsePercent, parseQuantity } from "../api/quantity.ts";
import type { MigrationPolicySpec } from "../api/v1alpha1/migration-policy.ts";
import { optionsMember } from "../api/v1alpha1/strategy-field.ts";
import type { EligibilityLimits } from "./eligibility/eligibility.ts";
import { compareText } from "./order.ts";
import type { PacingFunction } from "./pacing/pacing.ts";
import { PACING_STRATEGIES } from "./pacing/strategies.ts";
import type { PlacementFunction } from "./placement/placement.ts";
import { PLACEMENT_STRATEGIES } from "./placement/strategies.ts";
import type { Confirmation } from "./pressure/confirmation.ts";
import type { PressureRule } from "./pressure/pressure.ts";
import { PRESSURE_STRATEGIES } from "./pressure/strategies.ts";
import type { SelectionFunction } from "./selection/selection.ts";
import { SELECTION_STRATEGIES } from "./selection/strategies.ts";
import { labelMatcher } from "./selector.ts";
import type { NodeSnapshot, PodSnapshot } from "./snapshot.ts";
import type { Strategy } from "./strategy.ts";

/** Used above `closeAbove` closes, used at or below `reopenBelow` opens; fractions of capacity. */
export interface GateLimits {
  closeAbove: number;
  reopenBelow: number;
}

export interface Policy {
  name: string;
  dryRun: boolean;
  /** How often it is evaluated; who calls evaluate keeps to it. */
  evaluationIntervalSeconds: number;
  /** A move that has not been committed after so long is rolled back. */
  moveTimeoutSeconds: number;
  /** The metrics source whose figures it reads. */
  source: string;
  staleAfterSeconds: number;
  selectsPod(pod: Pick<PodSnapshot, "labels" | "namespaceLabels">): boolean;
  watchesNode(node: Pick<NodeSnapshot, "labels">): boolean;
  freeBelow: Amount;
  margin: Amount;
  pressure: PressureRule;
  confirmation: Confirmation;
  /** What must be free before a node that is short no longer is; absent: freeBelow. */
  freeUntil?: Amount;
  eligibility: EligibilityLimits;
  select: SelectionFunction;
  score: PlacementFunction;
  noReturnSeconds: number;
  pace: PacingFunction;
  maxMovesPerEvaluation: number;
  maxMovesPerHour?: number;
  /** From a node at once, and as many to a node. */
  maxMovesPerNode?: number;
  gate?: GateLimits;
}

/** The chosen strategy's function, its options parsed and completed with their defaults. */
function configured<Run>(
  strategies: readonly Strategy<string, z.ZodObject, Run>[],
  choice: Readonly<Record<string, unknown>> & { strategy: string },
): Run {
  const found = strategies.find((strategy) => strategy.name === choice.strategy);
  if (found === undefined) throw new RangeError(`not admitted by its schema: strategy ${choice.strategy}`);
  return found.configure(found.options.parse(choice[optionsMember(found.name)] ?? {}));
}

function eligibilityLimits(spec: MigrationPolicySpec["eligibility"]): EligibilityLimits {
  return {
    minMemoryBytes: admitted(parseQuantity, spec.minMemory),
    skipAboveProgress: admitted(parsePercent, spec.skipAboveProgress),
    skipBelowRemainingSeconds: admitted(parseDuration, spec.skipBelowRemaining),
    cooldownSeconds: admitted(parseDuration, spec.cooldown),
  };
}

function selectors(spec: MigrationPolicySpec): Pick<Policy, "selectsPod" | "watchesNode"> {
  const matchesPod = labelMatcher(spec.podSelector);
  const matchesNamespace = labelMatcher(spec.namespaceSelector);
  const matchesNode = labelMatcher(spec.nodeLabelSelector);
  return {
    selectsPod: (pod) => matchesPod(pod.labels) && matchesNamespace(pod.namespaceLabels),
    watchesNode: (node) => matchesNode(node.labels),
  };
}

/** `spec` has been through its schema: defaults filled, everything admitted. */
export function toPolicy(name: string, spec: MigrationPolicySpec): Policy {
  const gate = spec.schedulingGate;
  return {
    name,
    dryRun: spec.mode === "DryRun",
    evaluationIntervalSeconds: admitted(parseDuration, spec.evaluationInterval),
    moveTimeoutSeconds: admitted(parseDuration, spec.migration.timeout),
    source: spec.metrics.source,
    staleAfterSeconds: admitted(parseDuration, spec.metrics.staleAfter),
    ...selectors(spec),
    freeBelow: admitted(parseAmount, spec.pressure.freeBelow),
    margin: admitted(parseAmount, spec.placement.margin),
    pressure: configured(PRESSURE_STRATEGIES, spec.pressure),
    confirmation: spec.pressure.confirmation,
    ...(spec.pressure.freeUntil !== undefined && { freeUntil: admitted(parseAmount, spec.pressure.freeUntil) }),
    eligibility: eligibilityLimits(spec.eligibility),
    select: configured(SELECTION_STRATEGIES, spec.selection),
    score: configured(PLACEMENT_STRATEGIES, spec.placement),
    noReturnSeconds: admitted(parseDuration, spec.placement.noReturnFor),
    pace: configured(PACING_STRATEGIES, spec.pacing),
    maxMovesPerEvaluation: spec.pacing.maxMovesPerEvaluation,
    ...(spec.pacing.maxMovesPerHour !== undefined && { maxMovesPerHour: spec.pacing.maxMovesPerHour }),
    ...(spec.pacing.maxMovesPerNode !== undefined && { maxMovesPerNode: spec.pacing.maxMovesPerNode }),
    ...(gate && {
      gate: {
        closeAbove: admitted(parsePercent, gate.closeAbove),
        reopenBelow: admitted(parsePercent, gate.reopenBelow),
      },
    }),
  };
}

/** Enforcing policies before those that only look, so that looking never changes what is done; then by name. */
export function inOrder(policies: readonly Policy[]): Policy[] {
  return [...policies].sort((a, b) => Number(a.dryRun) - Number(b.dryRun) || compareText(a.name, b.name));
}
