/** A thread that simulates: it is given the input once, then task after task. */
import { parentPort, workerData } from "node:worker_threads";
import { openRuns, type SimulationInput, type Task } from "./run-task.ts";

// What compare.ts handed over, which is typed there.
const run = openRuns(workerData as SimulationInput);
parentPort?.on("message", (task: Task) => parentPort?.postMessage(run(task)));
