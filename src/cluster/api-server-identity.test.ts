import { describe, expect, it } from 'vitest';
import { leases } from '../client/resource-refs.ts';
import { createFixture, type Fixture } from '../client/test-support/fixture.ts';
import { silentLogger } from '../util/logger.ts';
import { systemRandom } from '../util/random.ts';
import { ApiServerIdentity, identityOf } from './api-server-identity.ts';

const identity = (f: Fixture, host: string): ApiServerIdentity =>
  new ApiServerIdentity({ client: f.client, clock: f.clock, random: systemRandom, logger: silentLogger, host });

const leaseOf = (f: Fixture, host: string) => f.api.find(leases, `kube-system/${identityOf(host)}`);

describe('the lease of an API server', () => {
  it('is named after the machine, as upstream names it', () => {
    // echo -n host | sha256sum | cut -c1-32 | xxd -r -p | base32
    expect(identityOf('host')).toBe('apiserver-i5ak4y2hwalsyajfj72vxls274');
    expect(identityOf('')).toBe('apiserver-4oymiquy7qobjgx36tejs35zeq');
  });

  it('is kept while the server lives, made again when it is deleted, and removed when its time is over', async () => {
    const f = createFixture();
    const life = new AbortController();
    const other = new AbortController();
    identity(f, 'one').run(life.signal);
    identity(f, 'two').run(other.signal);
    await f.advance(0);
    const first = leaseOf(f, 'one');
    expect(first?.metadata?.labels).toEqual({
      'apiserver.kubernetes.io/identity': 'kube-apiserver',
      'kubernetes.io/hostname': 'one',
    });
    expect(first?.spec?.leaseDurationSeconds).toBe(3_600);
    expect(first?.spec?.holderIdentity).toMatch(new RegExp(`^${identityOf('one')}_[0-9a-f-]{36}$`));
    await f.advance(10_000);
    expect(leaseOf(f, 'one')?.spec?.renewTime).not.toBe(first?.spec?.renewTime);
    await f.client.resource(leases).delete(identityOf('one'), 'kube-system');
    await f.advance(10_000);
    expect(leaseOf(f, 'one')?.spec?.holderIdentity).toBe(first?.spec?.holderIdentity);
    other.abort();
    await f.advance(2 * 3_600_000);
    expect(leaseOf(f, 'two')).toBeUndefined();
    expect(leaseOf(f, 'one')).toBeDefined();
    life.abort();
  });
});
