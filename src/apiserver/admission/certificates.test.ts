import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RequestAttributes } from '../contract.ts';
import { certificateApproval } from './certificate-approval.ts';
import { certificateSigning } from './certificate-signing.ts';
import { certificateSubjectRestriction } from './certificate-subject-restriction.ts';
import { requestedOrganizations } from './csr-organizations.ts';
import { createTestApi, refusal, type TestApi } from './test-support.ts';

let api: TestApi;
let allowed: string[];
beforeEach(async () => {
  allowed = [];
  const authorizer = {
    authorize: (a: RequestAttributes) =>
      ({ decision: allowed.includes(`${a.verb} ${a.apiGroup} ${a.resource} ${a.name}`) ? 'allow' : 'no-opinion' }) as const,
  };
  api = await createTestApi(certificateApproval(authorizer), certificateSigning(authorizer), certificateSubjectRestriction());
});
afterEach(() => api.close());

const SIGNER = 'kubernetes.io/kube-apiserver-client';

async function request(organization: string): Promise<object> {
  await import('reflect-metadata');
  const { Pkcs10CertificateRequestGenerator } = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=u,O=${organization}`,
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return {
    metadata: { name: 'r' },
    spec: { signerName: SIGNER, usages: ['client auth'], request: Buffer.from(csr.toString('pem')).toString('base64') },
  };
}

describe('CertificateSubjectRestriction', () => {
  it('refuses what is no request', () => {
    const pem = (der: Buffer): string =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    for (const der of [[], [0x30], [0x30, 0x82], [0x30, 5, 1], [0x30, 4, 0x30, 2, 2, 0]]) {
      expect(() => requestedOrganizations(pem(Buffer.from(der)))).toThrow('malformed');
    }
    expect(() => requestedOrganizations('x')).toThrow('PEM block type must be CERTIFICATE REQUEST');
  });
  it('makes no members of system:masters', async () => {
    expect((await refusal(api.create('certificatesigningrequests', await request('system:masters')))).message).toBe(
      'certificatesigningrequests.certificates.k8s.io "r" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    );
    await api.create('certificatesigningrequests', await request('users'));
  });
});

describe('CertificateApproval and CertificateSigning', () => {
  const condition = { type: 'Approved', status: 'True', reason: 'r', message: 'm' };
  const patch = (subresource: string, status: object): Promise<unknown> =>
    api.as('u').patch(`certificatesigningrequests/${subresource}`, '', 'r', { status });
  beforeEach(async () => {
    await api.create('certificatesigningrequests', await request('users'));
  });
  it('ask for the verb on the signer, or on its domain', async () => {
    const approve = (): Promise<unknown> => patch('approval', { conditions: [condition] });
    expect((await refusal(approve())).message).toBe(
      `certificatesigningrequests.certificates.k8s.io "r" is forbidden: user not permitted to approve requests with signerName "${SIGNER}"`,
    );
    allowed = ['approve certificates.k8s.io signers kubernetes.io/*'];
    await approve();
    const failed = { conditions: [condition, { ...condition, type: 'Failed' }] };
    expect((await refusal(patch('status', failed))).message).toContain(
      `user not permitted to sign requests with signerName "${SIGNER}"`,
    );
    allowed = [`sign certificates.k8s.io signers ${SIGNER}`];
    await patch('status', failed);
  });
});
