import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Host, runtimeOf } from "../../../src/agent/host/host.ts";
import { registrationOf, targetMoveOf } from "../../../src/agent/host/layout.ts";
import {
  markAborted,
  markReleased,
  podsOnNode,
  register,
  registeredPods,
  sweepAborted,
} from "../../../src/agent/host/registration.ts";
import { containersUnderHandler, uninstallAgent } from "../../../src/agent/uninstall.ts";

const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

let root: string;
let host: Host;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = {
    path: (path) => join(root, path),
    command: ([file = "true", ...args]) => ({ file, args }),
    environment: () => ({ PATH: process.env.PATH }),
  };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(join(host.path(path), ".."), { recursive: true });
  writeFileSync(host.path(path), content);
}

describe("a registration", () => {
  test("names the move and the container, and makes room for the waiting create", () => {
    register(host, MOVE, POD, "app");
    expect(readFileSync(host.path(registrationOf(POD).move), "utf8")).toBe(`${MOVE}\n`);
    expect(readFileSync(host.path(registrationOf(POD).container), "utf8")).toBe("app\n");
    expect(existsSync(host.path(targetMoveOf(MOVE).waiting))).toBe(true);
  });

  test("may be repeated, but not for another move", () => {
    register(host, MOVE, POD, "app");
    expect(() => register(host, MOVE, POD, "app")).not.toThrow();
    expect(() => register(host, POD, POD, "app")).toThrow(/another move/);
  });

  test.each([
    ["the pod is still on the node", [POD], 11, [POD]],
    ["the kubelet may have heard of the pod, and shows nothing of it yet", [], 9, [POD]],
    ["the pod has long been gone", [], 11, []],
  ])("of a rolled-back pod, so that it is never started cold: %s", (_what, onNode, minutes, left) => {
    register(host, MOVE, POD, "app");
    markAborted(host, POD);
    sweepAborted(host, new Set(onNode), Date.now() + minutes * 60_000);
    expect(registeredPods(host)).toEqual(left);
  });

  test("of a pod that waits, or was released, isn't swept", () => {
    register(host, MOVE, POD, "app");
    sweepAborted(host, new Set(), Date.now() + 3_600_000);
    expect(registeredPods(host)).toEqual([POD]);
    markReleased(host, POD);
    sweepAborted(host, new Set(), Date.now() + 3_600_000);
    expect(registeredPods(host)).toEqual([POD]);
  });
});

test.each([
  ["the usual folders", undefined],
  ["folders of its own", { bundles: "/run/k3s/containerd/tasks", runc: "/opt/runc", runcRoot: "/run/mine/k8s.io" }],
])("a pod is on the node while the kubelet keeps its folder, or runc a container of it: %s", (_, runtime) => {
  const node = runtime === undefined ? host : { ...host, runtime };
  const { bundles, runcRoot } = runtimeOf(node);
  mkdirSync(host.path("/var/lib/kubelet/pods/by-folder"), { recursive: true });
  write(`${runcRoot}/c1/state.json`, "{}");
  const config = { annotations: { "io.kubernetes.cri.sandbox-uid": "by-container" } };
  write(`${bundles}/c1/config.json`, JSON.stringify(config));
  expect([...podsOnNode(node)].sort()).toEqual(["by-container", "by-folder"]);
});

describe("uninstalling from a node", () => {
  const said: string[] = [];
  const uninstall = (keepHandler: boolean) => uninstallAgent(host, { keepHandler, say: (line) => said.push(line) });

  beforeEach(() => {
    said.length = 0;
    register(host, MOVE, POD, "app");
    write("/var/lib/headroom/bin/headroom-runc", "#!/bin/sh\n");
    write("/var/lib/headroom/moves/x.json", "{}");
    write("/run/headroom/agent/key.pem", "key");
  });

  function containerUnderHandler(id: string): void {
    write(
      `/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/options.json`,
      `{"binary_name":"/var/lib/headroom/bin/headroom-runc"}`,
    );
  }

  test("leaves no file", async () => {
    write("/run/containerd/io.containerd.runtime.v2.task/k8s.io/other/options.json", `{"binary_name":"/usr/bin/runc"}`);
    await uninstall(false);
    expect([existsSync(host.path("/var/lib/headroom")), existsSync(host.path("/run/headroom"))]).toEqual([
      false,
      false,
    ]);
  });

  test("keeps the wrapper, with nothing registered, while a container under it lives, and names that", async () => {
    containerUnderHandler("moved-1");
    expect(containersUnderHandler(host)).toEqual(["moved-1"]);
    await uninstall(false);
    expect(existsSync(host.path("/var/lib/headroom/bin/headroom-runc"))).toBe(true);
    expect([registeredPods(host), existsSync(host.path("/run/headroom"))]).toEqual([[], false]);
    expect(said.join()).toMatch(/kept.*moved-1/);
  });

  test("keeps the wrapper when it is asked to", async () => {
    await uninstall(true);
    expect(existsSync(host.path("/var/lib/headroom/bin/headroom-runc"))).toBe(true);
    expect(existsSync(host.path("/var/lib/headroom/moves"))).toBe(false);
  });
});
