import { describe, expect, test } from 'vitest';
import type { Pod, PodAffinityTerm } from '../../api/types/core-v1.ts';
import { actions, mayHelp } from '../cluster-event.ts';
import { PodInfo } from '../pod-info.ts';
import { TestCluster } from '../test-support/cluster.ts';
import { makeNode, makePod, type PodOptions } from '../test-support/objects.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';

const HOST = 'kubernetes.io/hostname';
const ZONE = 'zone';
const NEAR = "node(s) didn't match pod affinity rules!";
const APART = "node(s) didn't match pod anti-affinity rules";
const UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules";

const nodes = [
  makeNode('a1', { labels: { [ZONE]: 'a' } }),
  makeNode('a2', { labels: { [ZONE]: 'a' } }),
  makeNode('b1', { labels: { [ZONE]: 'b' } }),
  makeNode('none'),
];
const term = (app: string, topologyKey: string, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  labelSelector: { matchLabels: { app } },
  topologyKey,
  ...more,
});
const near = (...terms: readonly PodAffinityTerm[]): Partial<Pod['spec']> => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const apart = (...terms: readonly PodAffinityTerm[]): Partial<Pod['spec']> => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const app = (name: string, value: string, options: PodOptions = {}): Pod => makePod(name, { labels: { app: value }, ...options });

describe('demands', () => {
  const db = app('db', 'db', { node: 'a1' });
  const cases: readonly [string, readonly Pod[], Pod, readonly string[]][] = [
    ['nothing asked', [db], app('p', 'web'), ['ok', 'ok', 'ok', 'ok']],
    ['near, on the node', [db], app('p', 'web', { spec: near(term('db', HOST)) }), ['ok', NEAR, NEAR, NEAR]],
    ['near, in the zone', [db], app('p', 'web', { spec: near(term('db', ZONE)) }), ['ok', 'ok', NEAR, NEAR]],
    ['near to nobody', [], app('p', 'web', { spec: near(term('db', ZONE)) }), [NEAR, NEAR, NEAR, NEAR]],
    ['the first of its kind', [db], app('p', 'web', { spec: near(term('web', ZONE)) }), ['ok', 'ok', 'ok', NEAR]],
    [
      'the second goes where the first is',
      [app('first', 'web', { node: 'b1' })],
      app('p', 'web', { spec: near(term('web', ZONE)) }),
      [NEAR, NEAR, 'ok', NEAR],
    ],
    [
      'one pod must satisfy all terms',
      [db, app('cache', 'cache', { node: 'a1' })],
      app('p', 'web', { spec: near(term('db', ZONE), term('cache', HOST)) }),
      [NEAR, NEAR, NEAR, NEAR],
    ],
    ['apart, on the node', [db], app('p', 'web', { spec: apart(term('db', HOST)) }), [APART, 'ok', 'ok', 'ok']],
    ['apart, in the zone', [db], app('p', 'web', { spec: apart(term('db', ZONE)) }), [APART, APART, 'ok', 'ok']],
    [
      'another namespace',
      [app('db', 'db', { node: 'a1', namespace: 'other' })],
      app('p', 'web', { spec: apart(term('db', HOST)) }),
      ['ok', 'ok', 'ok', 'ok'],
    ],
    [
      'a namespace by name',
      [app('db', 'db', { node: 'a1', namespace: 'other' })],
      app('p', 'web', { spec: apart(term('db', HOST, { namespaces: ['other'] })) }),
      [APART, 'ok', 'ok', 'ok'],
    ],
    [
      'namespaces by label',
      [app('db', 'db', { node: 'a1', namespace: 'other' })],
      app('p', 'web', { spec: apart(term('db', HOST, { namespaceSelector: { matchLabels: { team: 'x' } } })) }),
      [APART, 'ok', 'ok', 'ok'],
    ],
    [
      'all namespaces',
      [app('db', 'db', { node: 'a1', namespace: 'third' })],
      app('p', 'web', { spec: apart(term('db', HOST, { namespaceSelector: {} })) }),
      [APART, 'ok', 'ok', 'ok'],
    ],
    [
      'unwelcome to those who are there',
      [app('loner', 'loner', { node: 'a1', spec: apart(term('web', ZONE)) })],
      app('p', 'web'),
      [UNWELCOME, UNWELCOME, 'ok', 'ok'],
    ],
    [
      'matchLabelKeys: only its own generation counts',
      [app('old', 'web', { node: 'a1', labels: { app: 'web', gen: '1' } })],
      app('p', 'web', { labels: { app: 'web', gen: '2' }, spec: apart(term('web', HOST, { matchLabelKeys: ['gen'] })) }),
      ['ok', 'ok', 'ok', 'ok'],
    ],
    [
      'mismatchLabelKeys: only others count',
      [app('old', 'web', { node: 'a1', labels: { app: 'web', tenant: '1' } })],
      app('p', 'web', { labels: { app: 'web', tenant: '2' }, spec: apart(term('web', HOST, { mismatchLabelKeys: ['tenant'] })) }),
      [APART, 'ok', 'ok', 'ok'],
    ],
  ];
  test.each(cases)('%s', (_, pods, pod, verdicts) => {
    const cluster = new TestCluster({ nodes, pods, namespaces: { other: { team: 'x' }, third: {} } });
    expect(Object.values(cluster.filter(interPodAffinity, pod))).toEqual(verdicts);
  });

  test('what is known follows pods, node labels and namespace labels', () => {
    const cluster = new TestCluster({ nodes, namespaces: { other: {} } });
    const pod = app('p', 'web', { spec: apart(term('db', ZONE, { namespaceSelector: { matchLabels: { team: 'x' } } })) });
    const verdicts = (): readonly string[] => Object.values(cluster.filter(interPodAffinity, pod));
    expect(verdicts()).toEqual(['ok', 'ok', 'ok', 'ok']);
    cluster.cache.setPod(app('db', 'db', { node: 'a1', namespace: 'other' }));
    expect(verdicts()).toEqual(['ok', 'ok', 'ok', 'ok']);
    cluster.cache.setNamespace('other', { team: 'x' });
    expect(verdicts()).toEqual([APART, APART, 'ok', 'ok']);
    cluster.cache.setNode(makeNode('a1', { labels: { [ZONE]: 'b' } }));
    expect(verdicts()).toEqual([APART, 'ok', APART, 'ok']);
    cluster.cache.removeNode('a1');
    expect(verdicts()).toEqual(['ok', 'ok', 'ok']);
    cluster.cache.setNode(makeNode('a1', { labels: { [ZONE]: 'a' } }));
    expect(cluster.filter(interPodAffinity, pod)).toMatchObject({ a1: APART, a2: APART, b1: 'ok' });
    cluster.cache.removePod('db');
    expect(verdicts()).toEqual(['ok', 'ok', 'ok', 'ok']);
  });
});

describe('preferences', () => {
  const prefer = (kind: 'podAffinity' | 'podAntiAffinity', weight: number, t: PodAffinityTerm): Partial<Pod['spec']> => ({
    affinity: { [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm: t }] } },
  });
  const cases: readonly [string, readonly Pod[], Pod, Readonly<Record<string, number>>][] = [
    [
      'near',
      [app('x', 'db', { node: 'a1' }), app('y', 'db', { node: 'a1' }), app('z', 'db', { node: 'b1' })],
      app('p', 'web', { spec: prefer('podAffinity', 10, term('db', HOST)) }),
      { a1: 100, a2: 0, b1: 50, none: 0 },
    ],
    [
      'apart',
      [app('x', 'db', { node: 'a1' })],
      app('p', 'web', { spec: prefer('podAntiAffinity', 10, term('db', ZONE)) }),
      { a1: 0, a2: 0, b1: 100, none: 100 },
    ],
    [
      'liked by those who are there',
      [app('x', 'db', { node: 'b1', spec: prefer('podAffinity', 5, term('web', HOST)) })],
      app('p', 'web'),
      { a1: 0, a2: 0, b1: 100, none: 0 },
    ],
    [
      'needed by those who are there',
      [app('x', 'db', { node: 'b1', spec: near(term('web', ZONE)) })],
      app('p', 'web'),
      { a1: 0, a2: 0, b1: 100, none: 0 },
    ],
    [
      'disliked by those who are there',
      [app('x', 'db', { node: 'b1', spec: prefer('podAntiAffinity', 5, term('web', HOST)) })],
      app('p', 'web'),
      { a1: 100, a2: 100, b1: 0, none: 100 },
    ],
  ];
  test.each(cases)('%s', (_, pods, pod, scores) => {
    expect(new TestCluster({ nodes, pods }).score(interPodAffinity, pod)).toEqual(scores);
  });
});

test('hints: pods that a demand of either is about', () => {
  const waiting = new PodInfo(app('p', 'web', { spec: near(term('db', HOST)) }));
  const added = (other: Pod): boolean =>
    mayHelp(interPodAffinity.hints, waiting, {
      resource: 'AssignedPod',
      action: actions.add,
      label: 'AssignedPodAdd',
      now: new PodInfo(other),
    });
  expect(added(app('db', 'db'))).toBe(true);
  expect(added(app('cache', 'cache'))).toBe(false);
  expect(added(app('loner', 'loner', { spec: apart(term('web', HOST)) }))).toBe(true);
});
