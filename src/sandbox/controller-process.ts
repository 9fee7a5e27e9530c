/** `headroom controller` as a process of its own, unchanged, pointed at the sandbox. */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HEADROOM_NAMESPACE } from "./installation.ts";

const HEADROOM = fileURLToPath(new URL("../../scripts/headroom.js", import.meta.url));

export class ControllerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly logFile: string;

  private constructor(child: ChildProcess, logFile: string) {
    this.#child = child;
    this.logFile = logFile;
    this.#exited = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** Its log goes to the file. Nothing of the caller's environment that would lead it elsewhere is passed on. */
  static start(options: { kubeconfig: string; logFile: string; podName?: string }): ControllerProcess {
    const log = openSync(options.logFile, "a");
    const { PATH = "", HOME = "" } = process.env;
    const child = spawn(process.execPath, [HEADROOM, "controller", "--http-port", "0", "--http-host", "127.0.0.1"], {
      stdio: ["ignore", log, log],
      env: {
        PATH,
        HOME,
        KUBECONFIG: options.kubeconfig,
        POD_NAMESPACE: HEADROOM_NAMESPACE,
        POD_NAME: options.podName ?? "headroom-controller-0",
        LOG_FORMAT: "json",
      },
    });
    return new ControllerProcess(child, options.logFile);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** An orderly end; after five seconds without one, a hard one. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.#child.kill("SIGTERM");
    const hard = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#exited;
    clearTimeout(hard);
  }
}
