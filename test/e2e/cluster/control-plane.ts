/** etcd, kube-apiserver, kube-controller-manager and kube-scheduler on the host, reached by the nodes over the bridge. */
import { join } from "node:path";
import { createCgroup } from "./cgroups.ts";
import { attempt } from "./command.ts";
import type { Credentials } from "./credentials.ts";
import { startDaemon } from "./daemons.ts";
import type { Programs } from "./programs.ts";
import type { Settings } from "./settings.ts";
import { waitFor } from "./wait.ts";

const flags = (values: Record<string, string>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

export interface ControlPlane {
  /** Path of the cluster administrator's kubeconfig. */
  kubeconfig: string;
}

interface Context {
  settings: Settings;
  programs: Programs;
  credentials: Credentials;
}

export function controlPlaneCgroup(settings: Settings): string {
  return `${settings.cgroup}/control-plane`;
}

export async function startControlPlane(context: Context): Promise<ControlPlane> {
  const { settings, programs, credentials } = context;
  await createCgroup(controlPlaneCgroup(settings));
  const kubeconfig = await credentials.kubeconfigFile("admin", {
    commonName: "administrator",
    organisations: ["system:masters"],
  });
  await startEtcd(context);
  await startApiServer(context);
  const kubectl = join(programs.kubernetes, "kubectl");
  await waitFor("the API server to be ready", 60, async () => {
    const answer = await attempt(kubectl, ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"], {
      timeoutSeconds: 5,
    });
    return answer.code === 0;
  });
  await startControllerManager(context);
  await startScheduler(context);
  return { kubeconfig };
}

function start(context: Context, name: string, program: string, values: Record<string, string>): Promise<number> {
  return startDaemon([program, ...flags(values)], {
    cgroup: controlPlaneCgroup(context.settings),
    logFile: join(context.settings.folder, "logs", `${name}.log`),
  });
}

async function startEtcd(context: Context): Promise<void> {
  const { settings, programs, credentials } = context;
  const files = await credentials.files("etcd", {
    commonName: "etcd",
    names: ["localhost"],
    addresses: ["127.0.0.1"],
  });
  const url = `https://127.0.0.1:${settings.etcdPort}`;
  const peerUrl = `http://127.0.0.1:${settings.etcdPeerPort}`;
  await start(context, "etcd", join(programs.nodeRoot, "root/usr/bin/etcd"), {
    "data-dir": join(settings.folder, "etcd"),
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
    "cert-file": files.certificate,
    "key-file": files.key,
    "client-cert-auth": "true",
    "trusted-ca-file": credentials.authority,
    "unsafe-no-fsync": "true",
  });
}

async function startApiServer(context: Context): Promise<void> {
  const { settings, programs, credentials } = context;
  const serving = await credentials.files("apiserver", {
    commonName: "kube-apiserver",
    names: ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
    addresses: [settings.hostAddress, settings.apiServiceAddress, "127.0.0.1"],
  });
  const toEtcd = await credentials.files("apiserver-etcd", { commonName: "kube-apiserver-etcd" });
  const toKubelet = await credentials.files("apiserver-kubelet", { commonName: "kube-apiserver-kubelet-client" });
  await start(context, "kube-apiserver", join(programs.kubernetes, "kube-apiserver"), {
    "etcd-servers": `https://127.0.0.1:${settings.etcdPort}`,
    "etcd-cafile": credentials.authority,
    "etcd-certfile": toEtcd.certificate,
    "etcd-keyfile": toEtcd.key,
    "bind-address": settings.hostAddress,
    "advertise-address": settings.hostAddress,
    "secure-port": String(settings.apiPort),
    "tls-cert-file": serving.certificate,
    "tls-private-key-file": serving.key,
    "client-ca-file": credentials.authority,
    "kubelet-certificate-authority": credentials.authority,
    "kubelet-client-certificate": toKubelet.certificate,
    "kubelet-client-key": toKubelet.key,
    "kubelet-preferred-address-types": "InternalIP",
    "service-account-key-file": credentials.verifyingKey,
    "service-account-signing-key-file": credentials.signingKey,
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-cluster-ip-range": settings.serviceSubnet,
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "allow-privileged": "true",
  });
}

async function startControllerManager(context: Context): Promise<void> {
  const { programs, credentials } = context;
  const kubeconfig = await credentials.kubeconfigFile("controller-manager", {
    commonName: "system:kube-controller-manager",
  });
  await start(context, "kube-controller-manager", join(programs.kubernetes, "kube-controller-manager"), {
    kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "service-account-private-key-file": credentials.signingKey,
    "root-ca-file": credentials.authority,
    "use-service-account-credentials": "true",
    "leader-elect": "false",
    ...(await servingFiles(context, "controller-manager")),
  });
}

async function startScheduler(context: Context): Promise<void> {
  const { programs, credentials } = context;
  const kubeconfig = await credentials.kubeconfigFile("scheduler", { commonName: "system:kube-scheduler" });
  await start(context, "kube-scheduler", join(programs.kubernetes, "kube-scheduler"), {
    kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "leader-elect": "false",
    ...(await servingFiles(context, "scheduler")),
  });
}

/** Their own ports are asked by nobody here; bound to the bridge, instances do not get into each other's way. */
async function servingFiles(context: Context, name: string): Promise<Record<string, string>> {
  const address = context.settings.hostAddress;
  const files = await context.credentials.files(name, { commonName: name, addresses: [address] });
  return { "bind-address": address, "tls-cert-file": files.certificate, "tls-private-key-file": files.key };
}
