import { describe, expect, it } from "vitest";
import { targetReadiness } from "../../../src/controllers/pod-migration/target-readiness.ts";
import type { Pod } from "../../../src/kube/resources.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");

function podWith(status: NonNullable<Pod["status"]>, node = "n2"): Pod {
  const containers = [{ name: "app", image: "registry/app@sha256:abc" }];
  const spec = { containers, ...(node === "" ? {} : { nodeName: node }) };
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "t" }, spec, status };
}

const waiting = (reason: string): NonNullable<Pod["status"]> => ({
  containerStatuses: [
    {
      name: "app",
      ready: false,
      restartCount: 0,
      image: "",
      imageID: "",
      state: { waiting: { reason, message: "why" } },
    },
  ],
});

const SANDBOX_UP: NonNullable<Pod["status"]> = {
  conditions: [{ type: "PodReadyToStartContainers", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }],
};

describe("a target pod whose create is not held yet", () => {
  it.each<[what: string, pod: Pod, expected: object]>([
    ["without a node is being scheduled", podWith({}, ""), { kind: "starting" }],
    ["is starting, however long its sandbox has been up", podWith(SANDBOX_UP), { kind: "starting" }],
    [
      "whose image could not be pulled once",
      podWith(waiting("ErrImagePull")),
      { kind: "starting", message: expect.stringMatching(/n2: ErrImagePull: why/) },
    ],
    ["whose image is not to be had", podWith(waiting("ImagePullBackOff")), { kind: "hopeless", reason: "TargetImage" }],
    [
      "whose image must not be pulled",
      podWith(waiting("ErrImageNeverPull")),
      { kind: "hopeless", message: expect.stringMatching(/n2 .*registry\/app@sha256:abc.*why/) },
    ],
    [
      "whose container can't be created",
      podWith(waiting("CreateContainerError")),
      { kind: "hopeless", reason: "TargetNotStarting" },
    ],
    [
      "that has failed",
      podWith({ phase: "Failed", message: "evicted" }),
      { kind: "hopeless", reason: "TargetPodFailed" },
    ],
  ])("%s", (_what, pod, expected) => {
    expect(targetReadiness(pod, NOW)).toMatchObject(expected);
  });
});
