import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { OPT_IN_LAYOUTS } from "../../src/agent/containerd/layout.ts";
import { readAgentConfig } from "../../src/config/agent-config.ts";
import type { DaemonSet, Deployment, Pod } from "../../src/kube/resources.ts";
import { CHART, find, helmIsThere, render } from "./render.ts";

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}
interface Role {
  rules: Rule[];
}

const read = (file: string): string => readFileSync(join(CHART, file), "utf8");

/** "resource: verbs" of each rule, for comparing. */
const granted = ({ rules }: Role): Record<string, string> =>
  Object.fromEntries(
    rules.flatMap(({ resources, verbs, resourceNames }) =>
      resources.map((resource) => [[resource, ...(resourceNames ?? [])].join("/"), verbs.join(" ")]),
    ),
  );

describe("the chart's files", () => {
  it("hold the very CRDs of crds/: `npm run generate` writes both", () => {
    const own = fileURLToPath(new URL("../../crds/", import.meta.url));
    const files = (folder: string) =>
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]);
    expect(files(join(CHART, "files/crds"))).toEqual(files(own));
  });

  it("have defaults that their own schema admits", () => {
    const check = new Ajv({ strict: false }).compile(JSON.parse(read("values.schema.json")));
    expect(check(load(read("values.yaml"))), JSON.stringify(check.errors)).toBe(true);
  });

  it("allow in agent.layouts what the agent understands, and nothing else", () => {
    const check = new Ajv({ strict: false }).compile(JSON.parse(read("values.schema.json")));
    const admits = (layouts: string[]) => check({ ...(load(read("values.yaml")) as object), agent: { layouts } });
    const env = { NODE_NAME: "n1", NODE_IP: "10.0.0.1" };
    expect([admits([...OPT_IN_LAYOUTS]), admits(["k0s"])]).toEqual([true, false]);
    const { layouts } = readAgentConfig({ flags: {}, env: { ...env, LAYOUTS: OPT_IN_LAYOUTS.join(",") } });
    expect(layouts).toEqual(OPT_IN_LAYOUTS);
    expect(() => readAgentConfig({ flags: {}, env: { ...env, LAYOUTS: "k0s" } })).toThrow(
      /LAYOUTS: must be some of k3s,/,
    );
  });

  it("have the application's version", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(load(read("Chart.yaml"))).toMatchObject({ appVersion: version });
  });
});

describe.skipIf(!helmIsThere)("the agent", () => {
  const agent = () => find<DaemonSet>(render(), "DaemonSet", "headroom-agent").spec?.template.spec;

  it("is Guaranteed, node-critical and tolerates every taint", () => {
    const { limits, requests } = agent()?.containers[0]?.resources ?? {};
    expect(limits).toEqual(requests);
    expect(Object.keys(limits ?? {}).sort()).toEqual(["cpu", "memory"]);
    expect(agent()?.priorityClassName).toBe("system-node-critical");
    expect(agent()?.tolerations).toEqual([{ operator: "Exists" }]);
  });

  it("enters its node, with no other way in than the node's network and processes", () => {
    expect(agent()).toMatchObject({ hostNetwork: true, hostPID: true });
    expect(agent()?.volumes?.some((volume) => volume.hostPath)).toBe(false);
  });

  it("is ready when its node is prepared, and reached before that", () => {
    expect(agent()?.containers[0]).toMatchObject({
      startupProbe: { tcpSocket: { port: "agent" } },
      readinessProbe: { exec: { command: ["test", "-e", "/tmp/headroom-agent-ready"] }, periodSeconds: 5 },
    });
    const seldom = render("agent.readinessProbe.periodSeconds=30").find(({ kind }) => kind === "DaemonSet");
    expect(JSON.stringify(seldom)).toContain('"periodSeconds":30');
  });

  it("has a token for Headroom only, and no rights in the API", () => {
    const objects = render();
    expect(agent()?.automountServiceAccountToken).toBe(false);
    expect(JSON.stringify(agent()?.volumes)).toContain('"serviceAccountToken":{"audience":"headroom"');
    const bindings = objects.filter(({ kind }) => kind.endsWith("Binding"));
    expect(JSON.stringify(bindings)).not.toContain("headroom-agent");
  });
});

describe.skipIf(!helmIsThere)("the controller", () => {
  const pod = (...values: string[]) => {
    const spec = find<Deployment>(render(...values), "Deployment", "headroom-controller").spec?.template.spec;
    return spec as Pod["spec"]; // a Deployment has one
  };
  const influx = ["influxdb.url=http://i:8086", "influxdb.org=o", "influxdb.bucket=b", "influxdb.existingSecret=s"];

  it("runs without any privilege, on a file system that it cannot write", () => {
    expect(pod().securityContext).toMatchObject({ runAsNonRoot: true });
    expect(pod().containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("is there twice, on different nodes, and is replaced soon when its node is lost", () => {
    const deployment = find<Deployment>(render(), "Deployment", "headroom-controller");
    expect(deployment.spec).toMatchObject({ replicas: 2 });
    const { affinity, tolerations } = pod();
    const own = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "controller" };
    const terms = affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    expect(terms.map(({ podAffinityTerm }) => podAffinityTerm)).toContainEqual({
      topologyKey: "kubernetes.io/hostname",
      labelSelector: { matchLabels: own },
    });
    expect(deployment.spec?.template.metadata?.labels).toMatchObject(own);
    for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
      const { tolerationSeconds } = tolerations?.find((toleration) => toleration.key === key) ?? {};
      expect(tolerationSeconds).toBeGreaterThanOrEqual(10);
      expect(tolerationSeconds).toBeLessThanOrEqual(30);
    }
    expect(find(render(), "PodDisruptionBudget", "headroom-controller")).toMatchObject({ spec: { maxUnavailable: 1 } });
  });

  it("is restarted when it says that it hangs", () => {
    expect(pod().containers[0]).toMatchObject({ livenessProbe: { httpGet: { path: "/healthz" } } });
  });

  it("limits moves made by hand to what is set", () => {
    const env = pod("controller.moves.perNamespace=7", "controller.moves.perNode=9").containers[0]?.env;
    expect(env).toEqual(
      expect.arrayContaining([
        { name: "MOVES_PER_NAMESPACE", value: "7" },
        { name: "MOVES_PER_NODE", value: "9" },
      ]),
    );
  });

  it.each([
    ["agent.rollOut.share=3", "3"],
    ["agent.rollOut.share=25%", "25%"],
    ["agent.port=9808", "10%"],
  ])("prepares a share of the nodes at a time: with %s %s", (value, share) => {
    expect(pod(value).containers[0]?.env).toContainEqual({ name: "ROLL_OUT_SHARE", value: share });
  });

  it("is confined to what moves need, by policies for the release's own namespace", () => {
    const policies = render().filter(({ kind }) => kind === "ValidatingAdmissionPolicy");
    const bindings = render().filter(({ kind }) => kind === "ValidatingAdmissionPolicyBinding");
    expect(policies.map(({ metadata }) => metadata.name).sort()).toEqual([
      "headroom-controller-nodes",
      "headroom-controller-own-objects",
      "headroom-controller-pods",
      "headroom-moves",
    ]);
    for (const policy of policies) {
      expect(JSON.stringify(policy)).toContain("system:serviceaccount:hr:headroom-controller");
      expect(JSON.stringify(policy)).not.toContain("headroom-system");
      expect(bindings).toContainEqual(
        expect.objectContaining({ spec: { policyName: policy.metadata.name, validationActions: ["Deny"] } }),
      );
    }
    expect(JSON.stringify(render("admissionPolicies.enabled=false"))).not.toContain("ValidatingAdmissionPolicy");
  });

  it("answers on its port to its node alone, unless metrics are wanted", () => {
    const ingress = (...values: string[]) =>
      find<{ spec: { ingress: unknown } }>(render(...values), "NetworkPolicy", "headroom-controller").spec.ingress;
    const ports = [{ protocol: "TCP", port: "http" }];
    expect(ingress()).toEqual([]);
    expect(ingress("metrics.service.enabled=true")).toEqual([{ from: [{ namespaceSelector: {} }], ports }]);
    const prometheus = "networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus";
    expect(ingress(prometheus)).toEqual([{ from: [{ podSelector: { matchLabels: { app: "prometheus" } } }], ports }]);
  });

  it("has a quota for its priority class, which some clusters ask for", () => {
    const { priorityClassName } = pod();
    expect(JSON.stringify(find(render(), "ResourceQuota", "headroom-critical-pods"))).toContain(
      `"${priorityClassName}"`,
    );
  });

  it("gets InfluxDB's token from the Secret that is named", () => {
    const token = pod(...influx).containers[0]?.env?.find(({ name }) => name === "INFLUXDB_TOKEN");
    expect(token?.valueFrom?.secretKeyRef).toEqual({ name: "s", key: "token" });
    expect(pod().containers[0]?.env?.some(({ name }) => name.startsWith("INFLUXDB"))).toBe(false);
  });

  it("reaches the kubelets only where that is wanted", () => {
    const rules = (...values: string[]) => granted(find<Role>(render(...values), "ClusterRole", "headroom-controller"));
    expect(rules()).not.toHaveProperty("nodes/proxy");
    expect(rules("kubeletSummary.enabled=true")).toHaveProperty("nodes/proxy", "get");
  });

  it("may open the readiness gate of a target pod, and look up its namespace", () => {
    expect(granted(find<Role>(render(), "ClusterRole", "headroom-controller"))).toMatchObject({
      "pods/status": "patch",
      namespaces: "get list watch",
    });
  });

  it("may read no Secret but its own", () => {
    expect(granted(find<Role>(render(), "ClusterRole", "headroom-controller"))).not.toHaveProperty("secrets");
    expect(granted(find<Role>(render(), "Role", "headroom-controller"))).toMatchObject({
      secrets: "create",
      "secrets/headroom-ca": "get patch",
    });
  });
});

describe.skipIf(!helmIsThere)("every role", () => {
  const roles = () => render().filter(({ kind }) => kind === "ClusterRole" || kind === "Role");

  it("names what it grants: no wildcard", () => {
    expect(roles().length).toBeGreaterThan(4);
    for (const role of roles()) expect(JSON.stringify(role)).not.toContain("*");
  });

  it("lets users ask for moves, and write neither a status nor a policy", () => {
    expect(granted(find<Role>(render(), "ClusterRole", "headroom-mover"))).toEqual({
      podmigrations: "get list watch create update patch delete",
    });
    expect(granted(find<Role>(render(), "ClusterRole", "headroom-viewer"))).toEqual({
      podmigrations: "get list watch",
      migrationpolicies: "get list watch",
      "configmaps/headroom-nodes": "get",
    });
  });

  it("of users joins edit and view only when that is wanted", () => {
    const labels = (...values: string[]) =>
      JSON.stringify(find(render(...values), "ClusterRole", "headroom-mover").metadata.labels);
    expect(labels()).not.toContain("aggregate");
    expect(labels("rbac.aggregateToDefaultRoles=true")).toContain("aggregate-to-edit");
  });
});

describe.skipIf(!helmIsThere)("uninstalling", () => {
  it.each([
    ["CustomResourceDefinition", "podmigrations.headroom.dev"],
    ["CustomResourceDefinition", "migrationpolicies.headroom.dev"],
    ["RuntimeClass", "headroom"],
  ])("leaves %s %s to the hook or for good", (kind, name) => {
    expect(find(render(), kind, name).metadata.annotations).toMatchObject({ "helm.sh/resource-policy": "keep" });
  });

  it("runs a hook first, whose rights are made for it and go with it", () => {
    const own = render().filter(({ metadata }) => metadata.name === "headroom-uninstall");
    expect(own.map(({ kind }) => kind).sort()).toEqual([
      "ClusterRole",
      "ClusterRoleBinding",
      "Job",
      "Role",
      "RoleBinding",
      "ServiceAccount",
    ]);
    for (const { metadata } of own) expect(metadata.annotations?.["helm.sh/hook"]).toBe("pre-delete");
  });
});

describe.skipIf(!helmIsThere)("values", () => {
  it.each([
    ["unknown=1", "unknown"],
    ["logLevel=loud", "logLevel"],
    ["influxdb.url=ftp://x", "influxdb"],
    ["influxdb.url=http://x", "existingSecret"],
    ["agent.port=0", "port"],
    ["agent.stagingBudget=lots", "stagingBudget"],
    ["agent.rollOut.share=0%", "share"],
    ["agent.rollOut.share=101%", "share"],
    ["agent.rollOut.share=0", "share"],
    ["agent.rollOut.share=some", "share"],
    ["controller.replicas=3", "replicas"],
    ["image.digest=sha256:1", "digest"],
  ])("that make no sense are refused by name: %s", (value, word) => {
    expect(() => render(value)).toThrow(word);
  });

  it.each([
    ["controller", "", "Deployment", "headroom-controller"],
    ["agent", "agent.", "DaemonSet", "headroom-agent"],
  ] as const)("of the %s's image: a digest wins over the tag, which both have", (_, prefix, kind, name) => {
    const digest = `sha256:${"a".repeat(64)}`;
    const repository = `${prefix}image.repository=r.io/h`;
    const image = (...values: string[]) => JSON.stringify(find(render(...values), kind, name));
    expect(image(repository, "image.tag=t")).toContain('"r.io/h:t"');
    expect(image(repository, "image.tag=t", `${prefix}image.digest=${digest}`)).toContain(`"r.io/h@${digest}"`);
  });
});
