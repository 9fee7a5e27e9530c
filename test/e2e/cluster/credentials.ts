/** Who is who in the cluster: one certificate per component, signed by the cluster's own authority, and kubeconfigs. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Authority, type Identity, newSigningKeys, type Subject } from "./certificates.ts";
import type { NodeSettings, Settings } from "./settings.ts";

/** Paths on the host. */
export interface IdentityFiles {
  certificate: string;
  key: string;
}

export class Credentials {
  readonly #authority: Authority;
  readonly #settings: Settings;
  readonly folder: string;
  /** Paths: the authority's certificate, and the key pair of the service accounts' tokens. */
  readonly authority: string;
  readonly signingKey: string;
  readonly verifyingKey: string;

  private constructor(settings: Settings, authority: Authority) {
    this.#settings = settings;
    this.#authority = authority;
    this.folder = join(settings.folder, "credentials");
    this.authority = join(this.folder, "ca.crt");
    this.signingKey = join(this.folder, "service-accounts.key");
    this.verifyingKey = join(this.folder, "service-accounts.pub");
  }

  static async create(settings: Settings): Promise<Credentials> {
    const credentials = new Credentials(settings, await Authority.create("headroom-e2e"));
    await mkdir(credentials.folder, { recursive: true, mode: 0o700 });
    await writeFile(credentials.authority, credentials.#authority.certificate);
    const keys = await newSigningKeys();
    await writeFile(credentials.signingKey, keys.privateKey, { mode: 0o600 });
    await writeFile(credentials.verifyingKey, keys.publicKey);
    return credentials;
  }

  issue(subject: Subject): Promise<Identity> {
    return this.#authority.issue(subject);
  }

  /** Issues and writes `<name>.crt` and `<name>.key`. */
  async files(name: string, subject: Subject): Promise<IdentityFiles> {
    const identity = await this.issue(subject);
    const files = { certificate: join(this.folder, `${name}.crt`), key: join(this.folder, `${name}.key`) };
    await writeFile(files.certificate, identity.certificate);
    await writeFile(files.key, identity.key, { mode: 0o600 });
    return files;
  }

  /** Issues a client certificate and writes `<name>.kubeconfig`; the answer is its path. */
  async kubeconfigFile(name: string, subject: Subject): Promise<string> {
    const path = join(this.folder, `${name}.kubeconfig`);
    await writeFile(path, await this.kubeconfig(subject), { mode: 0o600 });
    return path;
  }

  async kubeconfig(subject: Subject): Promise<string> {
    const identity = await this.issue(subject);
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const cluster = {
      server: `https://${this.#settings.hostAddress}:${this.#settings.apiPort}`,
      "certificate-authority-data": base64(this.#authority.certificate),
    };
    const user = {
      "client-certificate-data": base64(identity.certificate),
      "client-key-data": base64(identity.key),
    };
    const name = `headroom-e2e-${this.#settings.instance}`;
    // JSON is YAML.
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    });
  }
}

/** How the Node authorizer knows a kubelet. */
export function kubeletSubject(node: NodeSettings): Subject {
  return { commonName: `system:node:${node.name}`, organisations: ["system:nodes"] };
}
