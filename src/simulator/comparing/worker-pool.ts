/** Runs tasks in threads, each on one core. Which thread does what is left to chance; what comes back is not. */
import { Worker } from "node:worker_threads";

export interface Pool<Data, Task, Result> {
  /** Listens for a task at a time and answers each with its result. */
  script: URL;
  /** Given to every thread; plain data. */
  data: Data;
  tasks: readonly Task[];
  /** At least 1. */
  workers: number;
  /** As tasks are done, in no certain order. */
  onResult(task: Task, result: Result): void;
  /** Stops all threads at once; what has been answered stays. */
  signal?: AbortSignal | undefined;
}

/** Resolves when all tasks are done, or when it was stopped; rejects with the first error of any thread. */
export async function runInWorkers<Data, Task, Result>(pool: Pool<Data, Task, Result>): Promise<void> {
  const left = pool.tasks.values();
  const threads = Array.from({ length: Math.min(pool.workers, pool.tasks.length) }, () => {
    return new Worker(pool.script, { workerData: pool.data });
  });
  const stop = () => Promise.all(threads.map((thread) => thread.terminate()));
  pool.signal?.addEventListener("abort", () => void stop(), { once: true });
  try {
    if (pool.signal?.aborted) return;
    await Promise.all(threads.map((thread) => serve(thread, left, pool)));
  } finally {
    await stop();
  }
}

/** Hands one thread task after task, until there are none left or it has been stopped. */
function serve<Data, Task, Result>(
  thread: Worker,
  left: Iterator<Task>,
  { onResult, signal }: Pool<Data, Task, Result>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current = left.next();
    const hand = () => (current.done ? resolve() : thread.postMessage(current.value));
    thread.on("message", (result: Result) => {
      if (current.done || signal?.aborted) return;
      onResult(current.value, result);
      current = left.next();
      hand();
    });
    thread.on("error", reject);
    thread.on("exit", (code) => {
      if (signal?.aborted || current.done) resolve();
      else reject(new Error(`a simulating thread ended by itself, with code ${code}`));
    });
    hand();
  });
}
