import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../util/clock.ts';
import { ensurePki, publicKeyHash } from './pki.ts';

describe('ensurePki', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'k8ts-pki-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('makes a chain that verifies, with the names and groups asked for', async () => {
    const pki = await ensurePki(directory, {
      serverNames: ['localhost', '127.0.0.1', 'kubernetes.default.svc'],
      clock: systemClock,
    });
    const ca = new X509Certificate(pki.ca.cert);
    const server = new X509Certificate(pki.apiserver.cert);
    expect(server.verify(ca.publicKey)).toBe(true);
    expect(server.checkHost('kubernetes.default.svc')).toBeDefined();
    expect(server.checkIP('127.0.0.1')).toBeDefined();
    const admin = new X509Certificate(pki.admin.cert);
    expect(admin.verify(ca.publicKey)).toBe(true);
    expect(admin.subject.split('\n')).toEqual(['O=system:masters', 'CN=kubernetes-admin']);
    expect(new X509Certificate(pki.frontProxyClient.cert).verify(ca.publicKey)).toBe(false);
    expect(publicKeyHash(pki.ca)).toMatch(/^sha256:[0-9a-f]{64}$/);
    for (const name of ['ca.key', 'sa.key', 'admin.key']) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
  });

  it('keeps what is there, and makes anew only what lacks a name or is about to end', async () => {
    const first = await ensurePki(directory, { serverNames: ['localhost'], clock: systemClock });
    const second = await ensurePki(directory, { serverNames: ['localhost'], clock: systemClock });
    expect(second).toEqual(first);
    const renamed = await ensurePki(directory, { serverNames: ['localhost', 'other.example'], clock: systemClock });
    expect(renamed.apiserver.cert).not.toBe(first.apiserver.cert);
    expect(renamed.admin).toEqual(first.admin);
    expect(renamed.ca).toEqual(first.ca);
    const later = await ensurePki(directory, {
      serverNames: ['localhost'],
      clock: new VirtualClock(Date.now() + 350 * 86_400_000),
    });
    expect(later.admin.cert).not.toBe(first.admin.cert);
    expect(later.ca).toEqual(first.ca);
    expect(later.serviceAccount).toEqual(first.serviceAccount);
  });
});
