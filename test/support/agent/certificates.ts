/** An authority, and identities that it has signed, for tests. */
import { certificateRequest, newKeys, privateKeyPem } from "../../../src/agent/certificates.ts";
import type { TlsCredentials } from "../../../src/agent/identity.ts";
import {
  type Authority,
  controllerCredentials,
  newAuthority,
  signAgent,
} from "../../../src/checkpointing/trust/authority.ts";

export interface TestTrust {
  authority: Authority;
  controller: TlsCredentials;
  agent(node: string): Promise<TlsCredentials>;
}

export async function testTrust(nowMs = Date.now()): Promise<TestTrust> {
  const authority = await newAuthority(nowMs);
  return {
    authority,
    controller: await controllerCredentials(authority, nowMs),
    agent: async (node) => {
      const keys = await newKeys();
      const csr = await certificateRequest(keys, "whoever");
      const certificate = await signAgent(authority, csr, { node, address: "127.0.0.1" }, nowMs);
      return { key: await privateKeyPem(keys), certificate, authority: authority.certificate };
    },
  };
}
