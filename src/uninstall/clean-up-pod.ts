/** The pod that removes Headroom from one node: the agent's own pod, with another command. */
import type { DaemonSet, Pod } from "../kube/resources.ts";

export const CLEAN_UP_COMPONENT = "node-clean-up";

/**
 * It runs once on `node`, past the scheduler: neither a full node nor a taint keeps it away.
 * With `keepHandler` the runtime handler stays in containerd's configuration, and what it calls hands everything to runc.
 */
export function cleanUpPod(agents: DaemonSet, node: string, keepHandler: boolean): Pod {
  const template = agents.spec?.template.spec;
  const container = template?.containers[0];
  if (!template || !container) throw new Error(`DaemonSet ${agents.metadata.name} has no container`);
  const { nodeSelector: _selector, affinity: _affinity, topologySpreadConstraints: _spread, ...spec } = template;
  const {
    readinessProbe: _readiness,
    livenessProbe: _liveness,
    startupProbe: _startup,
    ports: _ports,
    command: _keptRunning,
    ...program
  } = container;
  const args = ["agent", "uninstall", ...(keepHandler ? ["--keep-handler"] : [])];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `headroom-clean-up-${node}`,
      ...(agents.metadata.namespace ? { namespace: agents.metadata.namespace } : {}),
      labels: { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": CLEAN_UP_COMPONENT },
    },
    spec: {
      ...spec,
      nodeName: node,
      restartPolicy: "Never",
      volumes: (spec.volumes ?? []).filter((volume) => volume.emptyDir !== undefined),
      containers: [
        {
          ...program,
          args, // of the image's own entry point
          env: (program.env ?? []).filter((variable) => variable.name !== "CA_FILE" && variable.name !== "TOKEN_FILE"),
          volumeMounts: (program.volumeMounts ?? []).filter((mount) => isEmptyDir(spec.volumes, mount.name)),
          terminationMessagePolicy: "FallbackToLogsOnError",
        },
      ],
    },
  };
}

function isEmptyDir(volumes: { name: string; emptyDir?: unknown }[] | undefined, name: string): boolean {
  return volumes?.some((volume) => volume.name === name && volume.emptyDir !== undefined) ?? false;
}
