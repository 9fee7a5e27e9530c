/** Doubles numbers; fails at 13, leaves at 99. */
import { parentPort } from "node:worker_threads";

parentPort?.on("message", (task: number) => {
  if (task === 13) throw new RangeError("thirteen");
  if (task === 99) process.exit(7);
  parentPort?.postMessage(task * 2);
});
