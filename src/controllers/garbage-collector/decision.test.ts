import { expect, test } from 'vitest';
import type { KubernetesObject, OwnerReference } from '../../api/meta/object.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { decideItem, type OwnerState } from './decision.ts';

const reference = (uid: string): OwnerReference => ({ apiVersion: 'v1', kind: 'K', name: uid, uid, blockOwnerDeletion: true });
const object = (finalizers: readonly string[] = [], going = false): KubernetesObject => ({
  metadata: { name: 'o', finalizers, ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
});

test.each<[string, OwnerState[], string[], KubernetesObject[], unknown]>([
  ['no owner', [], [], [], { action: 'none' }],
  ['an owner that stands', ['solid'], [], [], { action: 'none' }],
  ['one of two stands', ['solid', 'dangling'], [], [], { action: 'keep', ownerReferences: [reference('u0')] }],
  ['one stands, one waits', ['waiting', 'solid'], [], [], { action: 'keep', ownerReferences: [reference('u1')] }],
  ['none stands', ['dangling', 'dangling'], [], [], { action: 'delete', propagationPolicy: 'Background' }],
  ['as its finalizer asks: orphan', ['dangling'], ['orphan'], [], { action: 'delete', propagationPolicy: 'Orphan' }],
  [
    'as its finalizer asks: foreground',
    ['dangling'],
    ['foregroundDeletion'],
    [],
    { action: 'delete', propagationPolicy: 'Foreground' },
  ],
  ['the owner waits', ['waiting'], [], [], { action: 'delete', propagationPolicy: 'Background' }],
  [
    'the owner waits, and there are dependents',
    ['waiting'],
    [],
    [object()],
    { action: 'delete', propagationPolicy: 'Foreground' },
  ],
  [
    'the owner waits, and so does a dependent: perhaps a circle',
    ['waiting'],
    [],
    [object(['foregroundDeletion'], true)],
    { action: 'delete', propagationPolicy: 'Foreground', unblocked: [{ ...reference('u0'), blockOwnerDeletion: false }] },
  ],
])('%s', (_, states, finalizers, dependents, expected) => {
  const owners = states.map((state, i) => ({ reference: reference(`u${i}`), state }));
  expect(decideItem(deepFreeze({ object: object(finalizers), owners, dependents }))).toEqual(expected);
});
