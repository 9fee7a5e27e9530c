/**
 * What becomes of a program that runs for weeks when a failure is lost. A promise whose failure is lost leaves the process
 * in an unknown state: a loop may have ended, a lock may still be held. Such a process must not go on leading or serving: it
 * ends, Kubernetes starts it again, and the new one goes on from what is written down.
 */
import type { Logger } from "../logging/logger.ts";
import { EXIT } from "./failure.ts";

/** From now on an unhandled rejection or an uncaught exception is logged at level error and ends the process with code 1. */
export function endOnLostFailures(logger: Logger): void {
  const endWith = (message: string) => (error: unknown) => {
    logger.error(message, { error });
    process.exit(EXIT.failed); // not by exitCode: what is still running must not go on
  };
  process.on("unhandledRejection", endWith("unhandled promise rejection: the process ends"));
  process.on("uncaughtException", endWith("uncaught exception: the process ends"));
}
