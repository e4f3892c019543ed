import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import { HostileServer } from './hostile-server.ts';
import { type Manifest, nameOf, placeOf } from './manifests.ts';
import { evilKey, evilValue, mutated, mutation, sameCases } from './mutations.ts';

/** How many bodies of each sort are tried in one run; more with `HOSTILE_RUNS`. */
const RUNS = Number(process.env['HOSTILE_RUNS'] ?? 150);
const TIMEOUT_MS = Math.max(60_000, RUNS * 400);

let hostile: HostileServer;
let all: readonly Manifest[];
let stored: readonly Manifest[];

beforeAll(async () => {
  hostile = await HostileServer.start();
  all = await hostile.populate();
  stored = all.filter((m) => m.review === undefined);
});
afterAll(() => hostile.close());

const pick = fc.nat({ max: 10_000 });
const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
const subresource = fc.constantFrom('', '', '', '/status', '/scale', '/approval', '/finalize', '/resize', '/ephemeralcontainers');
const query = fc.constantFrom(
  '',
  '?fieldValidation=Strict',
  '?fieldValidation=Ignore',
  '?dryRun=All',
  '?fieldManager=m',
  '?force=true&fieldManager=m',
);

const run = (property: fc.IAsyncPropertyWithHooks<never> | fc.IAsyncProperty<never>): Promise<void> =>
  fc.assert(property as fc.IAsyncProperty<never>, {
    ...sameCases,
    numRuns: RUNS,
    endOnFailure: process.env['HOSTILE_RUNS'] !== undefined,
  });

const of = (from: readonly Manifest[], index: number): Manifest => from[index % from.length]!;

/** As it is now: an update of what another case has changed. */
async function live(manifest: Manifest): Promise<unknown> {
  const { code, json } = await hostile.api.get(placeOf(manifest), { as: 'root' });
  return code === 200 ? json : manifest.object;
}

describe('objects that are nearly right', () => {
  it('are created or refused', { timeout: TIMEOUT_MS }, async () => {
    let made = 0;
    await run(
      fc.asyncProperty(pick, mutations, query, async (index, changes, asked) => {
        const manifest = of(all, index);
        const named = manifest.review ? manifest.object : rename(manifest.object, `n${made++}`);
        await hostile.ask('POST', `${manifest.path}${asked}`, { body: mutated(named, changes) });
      }) as never,
    );
    await hostile.expectSound();
  });

  it('are updated or refused', { timeout: TIMEOUT_MS }, async () => {
    await run(
      fc.asyncProperty(pick, mutations, subresource, query, async (index, changes, sub, asked) => {
        const manifest = of(stored, index);
        const body = mutated(await live(manifest), changes);
        await hostile.askToChange(manifest, 'PUT', `${placeOf(manifest)}${sub}${asked}`, { body });
      }) as never,
    );
    await hostile.expectSound();
  });

  it('are patched or refused', { timeout: TIMEOUT_MS }, async () => {
    const type = fc.constantFrom(patchTypes.merge, patchTypes.strategic, patchTypes.apply, 'application/apply-patch+cbor');
    await run(
      fc.asyncProperty(
        pick,
        mutations,
        subresource,
        query,
        type,
        fc.boolean(),
        async (index, changes, sub, asked, patch, whole) => {
          const manifest = of(stored, index);
          const body = mutated(whole ? await live(manifest) : manifest.object, changes);
          await hostile.askToChange(manifest, 'PATCH', `${placeOf(manifest)}${sub}${asked}`, {
            body,
            headers: { 'content-type': patch },
          });
        },
      ) as never,
    );
    await hostile.expectSound();
  });

  it('are applied with ownership that makes no sense', { timeout: TIMEOUT_MS }, async () => {
    const fields = fc.oneof(
      evilValue,
      fc.dictionary(
        fc.oneof(evilKey, fc.constantFrom('f:metadata', 'f:spec', 'k:{', 'k:{"a":1}', 'v:"', 'v:1', 'i:-1', 'i:x', '.', 'f:')),
        evilValue,
      ),
    );
    const entry = fc.oneof(
      evilValue,
      fc.record(
        {
          manager: fc.oneof(evilValue, fc.constant('m')),
          operation: fc.oneof(evilValue, fc.constantFrom('Apply', 'Update')),
          apiVersion: fc.oneof(evilValue, fc.constantFrom('v1', 'apps/v1', 'x/y/z')),
          time: fc.oneof(evilValue, fc.constant('2026-01-01T00:00:00Z')),
          fieldsType: fc.oneof(evilValue, fc.constant('FieldsV1')),
          fieldsV1: fields,
          subresource: fc.oneof(evilValue, fc.constant('status')),
        },
        { requiredKeys: [] },
      ),
    );
    const method = fc.constantFrom('PUT', patchTypes.merge, patchTypes.apply);
    await run(
      fc.asyncProperty(
        pick,
        fc.oneof(evilValue, fc.array(entry, { maxLength: 3 })),
        method,
        async (index, managedFields, how) => {
          const manifest = of(stored, index);
          const base = how === 'PUT' ? ((await live(manifest)) as Record<string, unknown>) : manifest.object;
          const body = { ...base, metadata: { ...(base['metadata'] as object), managedFields } };
          await hostile.askToChange(manifest, how === 'PUT' ? 'PUT' : 'PATCH', `${placeOf(manifest)}?fieldManager=m&force=true`, {
            body,
            ...(how === 'PUT' ? {} : { headers: { 'content-type': how } }),
          });
        },
      ) as never,
    );
    await hostile.expectSound();
  });

  it('are changed by odd JSON patches or not at all', { timeout: TIMEOUT_MS }, async () => {
    const step = fc.oneof(
      fc.constantFrom(
        'metadata',
        'spec',
        'status',
        'labels',
        'name',
        'data',
        'containers',
        '0',
        '-1',
        '-',
        '00',
        '1e1',
        '~0',
        '~1',
        '~',
        '~2',
      ),
      evilKey,
    );
    const pointer = fc.oneof(
      { weight: 4, arbitrary: fc.array(step, { maxLength: 5 }).map((steps) => steps.map((s) => `/${s}`).join('')) },
      { weight: 1, arbitrary: evilValue },
    );
    const operation = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record(
          {
            op: fc.constantFrom<unknown>('add', 'remove', 'replace', 'move', 'copy', 'test', 'ADD', '', 1, null),
            path: pointer,
            from: pointer,
            value: evilValue,
          },
          { requiredKeys: ['op', 'path'] },
        ),
      },
      { weight: 1, arbitrary: evilValue },
    );
    await run(
      fc.asyncProperty(
        pick,
        subresource,
        fc.oneof(evilValue, fc.array(operation, { maxLength: 4 })),
        async (index, sub, body) => {
          const manifest = of(stored, index);
          await hostile.askToChange(manifest, 'PATCH', `${placeOf(manifest)}${sub}`, {
            body: JSON.stringify(body),
            headers: { 'content-type': patchTypes.json },
          });
        },
      ) as never,
    );
    await hostile.expectSound();
  });

  it('are deleted or stay, whatever the options', { timeout: TIMEOUT_MS }, async () => {
    const options = fc.oneof(
      evilValue,
      fc.record(
        {
          kind: fc.oneof(evilValue, fc.constant('DeleteOptions')),
          apiVersion: fc.oneof(evilValue, fc.constant('v1')),
          gracePeriodSeconds: evilValue,
          propagationPolicy: fc.oneof(evilValue, fc.constantFrom('Foreground', 'Background', 'Orphan')),
          orphanDependents: evilValue,
          dryRun: fc.oneof(evilValue, fc.constant(['All'])),
          preconditions: fc.oneof(evilValue, fc.record({ uid: evilValue, resourceVersion: evilValue }, { requiredKeys: [] })),
        },
        { requiredKeys: [] },
      ),
    );
    const asked = fc.constantFrom('', '?dryRun=All', '?propagationPolicy=x', '?gracePeriodSeconds=-5', '?orphanDependents=maybe');
    const spared = stored.filter((m) => !/namespaces$|customresourcedefinitions$/.test(m.path));
    await run(
      fc.asyncProperty(pick, options, asked, async (index, body, suffix) => {
        const manifest = of(spared, index);
        const { code } = await hostile.askToChange(manifest, 'DELETE', `${placeOf(manifest)}${suffix}`, {
          body: JSON.stringify(body),
        });
        if (code < 300) await hostile.api.post(manifest.path, manifest.object, { as: 'root' });
      }) as never,
    );
    await hostile.expectSound();
  });
});

function rename(object: Manifest['object'], name: string): unknown {
  const manifest = { path: '', object };
  return nameOf(manifest) === 'a' || nameOf(manifest) === 'b'
    ? { ...object, metadata: { ...(object['metadata'] as object), name } }
    : object;
}
