/** What a run leaves on its nodes: it must be noticed, and told from what belongs to a running agent. */
import { describe, expect, it } from "vitest";
import { difference, parseInventory } from "../e2e/chaos/leftovers.ts";

const AGENT = "a".repeat(64);
const AGENTS_POD = "11111111-1111-1111-1111-111111111111";
const OTHER = "b".repeat(64);
const OTHER_POD = "22222222-2222-2222-2222-222222222222";
const MOVE = "33333333-3333-3333-3333-333333333333";

const IDLE = [
  `own\t${AGENT}`,
  `container\t${AGENT}`,
  `snapshot\t${AGENT}`,
  `bundle\t${AGENT}`,
  "file\t/run/headroom/agent/key.pem",
  "file\t/var/lib/headroom/bin/headroom-runc",
  "file\t/var/lib/headroom/containerd/installed.json",
  "file\t/var/lib/headroom/moves/finished",
  "file\t/var/lib/headroom/moves/epoch",
  `file\t/var/lib/kubelet/pods/${AGENTS_POD}`,
  `cgroup\t/sys/fs/cgroup/memory/kubepods/pod${AGENTS_POD}`,
  `cgroup\t/sys/fs/cgroup/memory/kubepods/pod${AGENTS_POD}/${AGENT}`,
  `mount\t/var/lib/kubelet/pods/${AGENTS_POD}/volumes/kubernetes.io~projected/token`,
  `process\tSl   9:name=systemd:/ /usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id ${AGENT}`,
  `process\tS    9:name=systemd:/kubepods/pod${AGENTS_POD}/${AGENT} criu check`,
  "process\tSl   9:name=systemd:/ containerd",
  "process\tS    9:name=systemd:/ sh",
];

const of = (...more: string[]) => parseInventory("n1", [...IDLE, ...more].join("\n"));

describe("what is left on a node", () => {
  it("is nothing while only Headroom's own pods run, even if they were replaced", () => {
    const restarted = IDLE.map((line) => line.replaceAll(AGENT, "c".repeat(64)).replaceAll(AGENTS_POD, OTHER_POD));
    expect(difference([of()], [parseInventory("n1", restarted.join("\n"))])).toEqual([]);
  });

  it.each([
    ["file", "/run/headroom/source/x", "/run/headroom/source/x"],
    ["file", `/var/lib/headroom/moves/${MOVE}.source.json`, `/var/lib/headroom/moves/${MOVE}.source.json`],
    ["file", `/var/lib/headroom/targets/${OTHER_POD}`, `/var/lib/headroom/targets/${OTHER_POD}`],
    ["file", `/var/lib/kubelet/pods/${OTHER_POD}`, `/var/lib/kubelet/pods/${OTHER_POD}`],
    ["container", OTHER, OTHER],
    ["snapshot", OTHER, OTHER],
    ["bundle", OTHER, OTHER],
    ["cgroup", `/sys/fs/cgroup/memory/headroom/${MOVE}`, `/sys/fs/cgroup/memory/headroom/${MOVE}`],
    ["cgroup", `/sys/fs/cgroup/cpu/kubepods/pod${OTHER_POD}`, `/sys/fs/cgroup/cpu/kubepods/pod${OTHER_POD}`],
    ["mount", `/run/headroom/target/${MOVE}/staging`, `/run/headroom/target/${MOVE}/staging`],
    ["process", "S    - criu lazy-pages", "criu lazy-pages (state S)"],
    ["process", "Z    - [workload] <defunct>", "[workload] <defunct> (state Z)"],
    ["process", "T    - sleep 1", "sleep 1 (state T)"],
  ])("may be a %s: %s", (kind, listed, shown) => {
    expect(difference([of()], [of(`${kind}\t${listed}`)])).toEqual([`${kind} on n1 is left: ${shown}`]);
    expect(difference([of(`${kind}\t${listed}`)], [of(`${kind}\t${listed}`)])).toEqual([]);
    expect(difference([of(`${kind}\t${listed}`)], [of()])).toEqual([]);
  });

  it("is no shim: what it serves has a bundle", () => {
    expect(difference([of()], [of(`process\tS - /usr/bin/containerd-shim-runc-v2 -id ${OTHER}`)])).toEqual([]);
    expect(difference([of()], [of("process\tR - test -e /tmp/headroom-agent-ready")])).toEqual([]);
  });

  it("counts what is there twice, and keeps nodes apart", () => {
    const one = of("process\tS - criu swrk");
    expect(difference([one], [of("process\tS - criu swrk", "process\tS - criu swrk")])).toHaveLength(1);
    expect(difference([{ ...one, node: "n2" }], [one])).toHaveLength(1);
  });
});
