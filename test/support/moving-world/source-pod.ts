/** A pod that may be moved: bare, one running container, on node z1. */
import type { Pod } from "../../../src/kube/resources.ts";

export function sourcePod(): Pod {
  const running = { startedAt: "2025-12-31T00:00:00Z" };
  const image = "example.test/counter@sha256:aa";
  const container = { name: "counter", containerID: "containerd://abc", image, imageID: image };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name: "counter", labels: { app: "counter" } },
    spec: {
      nodeName: "z1",
      restartPolicy: "Always",
      containers: [{ name: "counter", image: "example.test/counter:1" }],
    },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ ...container, ready: true, restartCount: 0, started: true, state: { running } }],
    },
  };
}
