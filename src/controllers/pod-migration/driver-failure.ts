/** An agent's refusal or silence as data, so that phases decide on it instead of catching. */
import { NOT_CARRIED } from "../../api/v1alpha1/pod-migration.ts";
import { DriverError } from "../../checkpointing/driver.ts";

export interface DriverFailure {
  reason: DriverError["reason"];
  message: string;
  /** The same call may succeed later; the move is where it was. */
  retryable: boolean;
  node: string;
}

export type Attempt<T> = { ok: true; value: T } | { ok: false; failure: DriverFailure };

/** Another controller leads now: this one must not decide anything any more. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";
}

/** Awaits a driver call. Errors that are not the driver's, and the news that another controller leads, are thrown on. */
export async function attempt<T>(call: Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await call };
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    if (error.reason === "StaleEpoch") throw new SupersededError(error.message, { cause: error });
    const silent = error.reason === "Unreachable" || error.reason === "NoAgent";
    const { reason, message, node } = error;
    return { ok: false, failure: { reason, message, node, retryable: error.retryable || silent } };
  }
}

/** The reason of a move that this failure ends: `step`, unless it is of the kind that would end any other move in the same way. */
export function reasonFor({ reason }: DriverFailure, step: "DumpFailed" | "RestoreFailed"): string {
  return reason === NOT_CARRIED ? NOT_CARRIED : step;
}

/** For people: which node's agent said what. */
export function inWords(failure: DriverFailure): string {
  return `agent on node ${failure.node}: ${failure.message}`;
}
