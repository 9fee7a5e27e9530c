/** Faults of the control plane: an API server that does not answer, a slow etcd. */
import { readFileSync } from "node:fs";
import { members } from "../../cluster/cgroups.ts";
import { controlPlaneCgroup } from "../../cluster/control-plane.ts";
import type { Settings } from "../../cluster/settings.ts";

/** Stops the API server where it is: what is asked of it waits without an answer. The answer lets it go on. */
export function stopApiServer(settings: Settings): () => void {
  const server = processNamed(settings, "kube-apiserver");
  process.kill(server, "SIGSTOP");
  return () => goOn(server);
}

const STOPPED_MS = 400;
const RUNNING_MS = 150;

/** For so many seconds, etcd is stopped for 400 ms, then runs for 150 ms, and so on. The answer ends that early. */
export function slowEtcd(settings: Settings, seconds: number): () => void {
  const etcd = processNamed(settings, "etcd");
  const until = performance.now() + seconds * 1000;
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearTimeout(timer);
    process.off("exit", end);
    goOn(etcd);
  };
  const pulse = (): void => {
    if (performance.now() > until) end();
    else {
      process.kill(etcd, "SIGSTOP");
      timer = setTimeout(rest, STOPPED_MS);
    }
  };
  const rest = (): void => {
    goOn(etcd);
    timer = setTimeout(pulse, RUNNING_MS);
  };
  process.once("exit", end);
  pulse();
  return end;
}

/** Nothing brings a program of the control plane back when it ends: its process id stays its own. */
function processNamed(settings: Settings, name: string): number {
  const found = members(controlPlaneCgroup(settings)).filter((pid) => commandOf(pid) === name);
  const [pid] = found;
  if (pid === undefined || found.length !== 1) throw new Error(`${found.length} processes are called ${name}`);
  return pid;
}

function goOn(pid: number): void {
  process.kill(pid, "SIGCONT");
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return ""; // it has ended
  }
}
