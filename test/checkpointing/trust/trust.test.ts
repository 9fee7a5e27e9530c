import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  certificateRequest,
  certificatesIn,
  isDueForRenewal,
  isFor,
  newKeys,
  privateKeyPem,
} from "../../../src/agent/certificates.ts";
import { EnrolledIdentity } from "../../../src/agent/enrolled-identity.ts";
import { MemoryMoveRecords } from "../../../src/agent/move-records.ts";
import { connectPeer } from "../../../src/agent/peer.ts";
import { AgentServer } from "../../../src/agent/server.ts";
import { AgentDriver } from "../../../src/checkpointing/agent-driver.ts";
import { agentSites } from "../../../src/checkpointing/trust/agent-sites.ts";
import { AgentTrust } from "../../../src/checkpointing/trust/agent-trust.ts";
import { moveToken, newAuthority, signAgent } from "../../../src/checkpointing/trust/authority.ts";
import { AUTHORITY_NAME, loadAuthority } from "../../../src/checkpointing/trust/authority-store.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { CONFIG_MAPS, PODS, type Pod, SECRETS, type TokenReview } from "../../../src/kube/resources.ts";
import { ScriptedRuntime } from "../../support/agent/scripted-runtime.ts";
import { MemoryKube } from "../../support/memory-kube.ts";

const NAMESPACE = "headroom-system";
const DAY_MS = 24 * 3_600_000;

describe("the authority", () => {
  test("signs for the node that the controller names, whatever the request says", async () => {
    const authority = await newAuthority(Date.now());
    const keys = await newKeys();
    const csr = await certificateRequest(keys, "headroom-controller");
    const certificate = await signAgent(authority, csr, { node: "n1", address: "10.0.0.1" }, Date.now());
    const [shown] = certificatesIn(certificate);
    expect(shown?.subject).toBe("CN=headroom-agent:n1");
    expect(shown?.subjectAltName).toBe("IP Address:10.0.0.1");
    const mine = {
      key: await privateKeyPem(keys),
      commonName: "headroom-agent:n1",
      authority: authority.certificate,
      nowMs: Date.now(),
    };
    expect(isFor(certificate, mine)).toBe(true);
    expect(isFor(certificate, { ...mine, commonName: "headroom-agent:n2" })).toBe(false);
    expect(isFor(certificate, { ...mine, key: await privateKeyPem(await newKeys()) })).toBe(false);
    expect(isFor(certificate, { ...mine, authority: (await newAuthority(Date.now())).certificate })).toBe(false);
    expect(isFor(certificate, { ...mine, nowMs: Date.now() + 31 * DAY_MS })).toBe(false);
  });

  test("refuses a request that isn't signed by its own key", async () => {
    const authority = await newAuthority(Date.now());
    const csr = await certificateRequest(await newKeys(), "x");
    const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ""), "base64");
    der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1;
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(signAgent(authority, forged, { node: "n1", address: "10.0.0.1" }, Date.now())).rejects.toThrow();
  });

  test("gives a move the same token each time, and each move another", async () => {
    const authority = await newAuthority(Date.now());
    expect(moveToken(authority, "a")).toBe(moveToken(authority, "a"));
    expect(moveToken(authority, "a")).not.toBe(moveToken(authority, "b"));
    expect(moveToken(await newAuthority(Date.now()), "a")).not.toBe(moveToken(authority, "a"));
  });

  test("is made once, kept in the Secret, and published without its key", async () => {
    const { client } = new MemoryKube();
    const first = await loadAuthority(client, NAMESPACE, Date.now());
    expect(await loadAuthority(client, NAMESPACE, Date.now())).toEqual(first);
    const published = await client.get(CONFIG_MAPS, { namespace: NAMESPACE, name: AUTHORITY_NAME });
    expect(published?.data).toEqual({ "ca.crt": first.certificate });
  });

  test("is made anew near its end, and published anew", async () => {
    const { client } = new MemoryKube();
    const first = await loadAuthority(client, NAMESPACE, Date.now());
    const later = Date.now() + 3000 * DAY_MS;
    const second = await loadAuthority(client, NAMESPACE, later);
    expect(second.certificate).not.toBe(first.certificate);
    const secret = await client.get(SECRETS, { namespace: NAMESPACE, name: AUTHORITY_NAME });
    expect(Buffer.from(secret?.data?.["ca.crt"] ?? "", "base64").toString()).toBe(second.certificate);
    const published = await client.get(CONFIG_MAPS, { namespace: NAMESPACE, name: AUTHORITY_NAME });
    expect(published?.data).toEqual({ "ca.crt": second.certificate });
  });
});

test("a certificate is renewed after two thirds of its life", () => {
  const validity = { validFromMs: 0, validToMs: 300 };
  expect([199, 200].map((now) => isDueForRenewal(validity, now))).toEqual([false, true]);
});

function agentPod(name: string, node: string, port: number, more: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: NAMESPACE,
      uid: `uid-of-${name}`,
      labels: { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "DaemonSet", name: "headroom-agent", uid: "d", controller: true },
      ],
      ...more,
    },
    spec: { nodeName: node, containers: [{ name: "agent", ports: [{ name: "agent", containerPort: port }] }] },
    status: { phase: "Running", hostIP: "127.0.0.1" },
  };
}

describe("agents are found", () => {
  test("by their pods: address of the node, port of the container", () => {
    expect(agentSites([agentPod("a", "n1", 9000)])).toMatchObject([{ node: "n1", address: "127.0.0.1", port: 9000 }]);
  });

  test("but not where the pod doesn't run, has other labels or no node", () => {
    const pending: Pod = { ...agentPod("a", "n1", 1), status: { phase: "Pending", hostIP: "127.0.0.1" } };
    const other = agentPod("b", "n2", 1, { labels: { "app.kubernetes.io/name": "headroom" } });
    expect(agentSites([pending, other])).toEqual([]);
  });

  test("in the pod that stays, where one ends and its successor runs", () => {
    const ending = agentPod("old", "n1", 1, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    expect(agentSites([ending, agentPod("new", "n1", 2)])).toMatchObject([{ podName: "new", port: 2 }]);
  });
});

describe("enrolment", () => {
  let folder: string;
  let kube: MemoryKube;
  let server: AgentServer;
  let pod: Pod;
  let trust: AgentTrust;
  let review: TokenReview["status"];
  const warnings: string[] = [];

  /** A kube whose TokenReviews answer what `review` says, for the token that the agent has. */
  function reviewing(client: KubeClient): KubeClient {
    const create: KubeClient["create"] = async (kind, object, options) => {
      if (kind.kind !== "TokenReview") return await client.create(kind, object, options);
      const asked = object as unknown as TokenReview;
      const status = asked.spec.token === "the pod's token" ? review : { authenticated: false };
      return { ...object, status } as never;
    };
    return { ...client, create };
  }

  beforeEach(async () => {
    warnings.length = 0;
    folder = mkdtempSync(join(tmpdir(), "enrolment-"));
    kube = new MemoryKube();
    const log = {
      info: () => {},
      warn: (message: string, fields?: object) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    };
    trust = await AgentTrust.open({ client: reviewing(kube.client), namespace: NAMESPACE, now: () => Date.now(), log });
    const published = await kube.client.get(CONFIG_MAPS, { namespace: NAMESPACE, name: AUTHORITY_NAME });
    writeFileSync(join(folder, "ca.crt"), published?.data?.["ca.crt"] ?? "");
    writeFileSync(join(folder, "token"), "the pod's token\n");
    const identity = await EnrolledIdentity.load({
      node: "n1",
      directory: join(folder, "own"),
      authorityFile: join(folder, "ca.crt"),
      tokenFile: join(folder, "token"),
      now: () => Date.now(),
    });
    const parts = {
      runtime: new ScriptedRuntime(),
      records: new MemoryMoveRecords(),
      connectPeer: connectPeer(identity),
    };
    server = new AgentServer({ node: "n1", identity, ...parts, log: { info: () => {}, warn: () => {} } });
    await server.start({ host: "127.0.0.1", port: 0 });
    pod = agentPod("agent-1", "n1", server.port);
    await kube.client.create(PODS, pod);
    review = reviewOf({});
  });

  afterEach(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function reviewOf(change: {
    username?: string;
    name?: string;
    uid?: string;
    audiences?: string[];
  }): TokenReview["status"] {
    return {
      authenticated: true,
      audiences: change.audiences ?? ["headroom"],
      user: {
        username: change.username ?? `system:serviceaccount:${NAMESPACE}:headroom-agent`,
        extra: {
          "authentication.kubernetes.io/pod-name": [change.name ?? "agent-1"],
          "authentication.kubernetes.io/pod-uid": [change.uid ?? "uid-of-agent-1"],
        },
      },
    };
  }

  function says(status: TokenReview["status"]): void {
    review = status;
  }

  function runsOn(node: string): void {
    pod = agentPod("agent-1", node, server.port);
  }

  function driver(): AgentDriver {
    return new AgentDriver({
      locate: () => ({ address: "127.0.0.1", port: server.port }),
      credentials: () => trust.credentials(),
      tokenOf: (moveUID) => trust.tokenOf(moveUID),
    });
  }

  test("gives an agent a certificate once, and only then does it take commands", async () => {
    const asking = driver();
    await expect(asking.features("n1")).rejects.toMatchObject({ reason: "Unreachable" });
    expect(await trust.enrolAll([pod])).toEqual(["n1"]);
    expect(await trust.enrolAll([pod])).toEqual([]);
    expect(await asking.features("n1")).toMatchObject({ criuVersion: "4.1" });
    await asking.close();
  });

  test.each([
    ["Secret", SECRETS],
    ["ConfigMap", CONFIG_MAPS],
  ])("goes on after the authority's %s was deleted: it is put back as it was, and said", async (_, kind) => {
    const ref = { namespace: NAMESPACE, name: AUTHORITY_NAME };
    const before = (await kube.client.get(kind, ref))?.data;
    expect(await trust.keep()).toBe(true);
    expect(warnings).toEqual([]);
    await kube.client.delete(kind, ref);
    expect(await trust.keep()).toBe(true);
    expect((await kube.client.get(kind, ref))?.data).toEqual(before);
    expect(warnings.join()).toMatch(/authority restored/);
    expect(await trust.enrolAll([pod])).toEqual(["n1"]);
  });

  test("does not undo a replacement of the authority: another one in the Secret is to be opened", async () => {
    const ref = { namespace: NAMESPACE, name: AUTHORITY_NAME };
    await kube.client.delete(SECRETS, ref);
    const other = await loadAuthority(kube.client, NAMESPACE, Date.now());
    expect(await trust.keep()).toBe(false);
    expect(await loadAuthority(kube.client, NAMESPACE, Date.now())).toEqual(other);
  });

  test("is outlived by the agent's key and certificate, readable by nobody else", async () => {
    await trust.enrolAll([pod]);
    const again = await EnrolledIdentity.load({
      node: "n1",
      directory: join(folder, "own"),
      authorityFile: join(folder, "ca.crt"),
      tokenFile: join(folder, "token"),
      now: () => Date.now(),
    });
    expect(again.enrolled()).toBe(true);
    expect(statSync(join(folder, "own", "key.pem")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, "own", "certificate.pem"), "utf8")).toBe(again.credentials().certificate);
  });

  test.each<[string, () => void, RegExp]>([
    ["its token isn't valid", () => says({ authenticated: false }), /token is not valid/],
    ["its token is for another audience", () => says(reviewOf({ audiences: ["api"] })), /token is not valid/],
    [
      "its token is another account's",
      () => says(reviewOf({ username: "system:serviceaccount:default:me" })),
      /not system/,
    ],
    ["its token is another pod's", () => says(reviewOf({ name: "agent-2" })), /that of pod agent-2/],
    ["its token is a former pod's of that name", () => says(reviewOf({ uid: "other" })), /that of pod/],
    ["its pod is on another node", () => runsOn("n2"), /another node/],
  ])("is refused when %s", async (_why, change, message) => {
    change();
    expect(await trust.enrolAll([pod])).toEqual([]);
    expect(warnings.join()).toMatch(message);
  });

  test("is refused to a pod that isn't of the agents' DaemonSet", async () => {
    await kube.client.delete(PODS, pod.metadata);
    await kube.client.create(PODS, { ...pod, metadata: { ...pod.metadata, ownerReferences: [] } });
    expect(await trust.enrolAll([pod])).toEqual([]);
    expect(warnings.join()).toMatch(/not one of the agents' DaemonSet/);
  });

  test("of one agent isn't held up by another that doesn't answer", async () => {
    const dead = agentPod("agent-2", "n2", 1);
    expect(await trust.enrolAll([dead, pod])).toEqual(["n1"]);
    expect(warnings.join()).toMatch(/n2/);
  });
});
