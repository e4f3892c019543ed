import fc from 'fast-check';
import { expect, test } from 'vitest';
import { selectorFromSet } from '../api/meta/label-selector.ts';
import type { Node, Pod, PodAffinityTerm } from '../api/types/core-v1.ts';
import { nodes, pods } from '../client/resource-refs.ts';
import { createFixture } from '../client/test-support/fixture.ts';
import { isRejection } from './framework.ts';
import { PodInfo } from './pod-info.ts';
import { scheduler } from './scheduler.ts';
import { TestCluster } from './test-support/cluster.ts';
import { bindingApi, makeNode, makePod } from './test-support/objects.ts';

const RUNS = 40;
const ZONE = 'topology.kubernetes.io/zone';
const HOST = 'kubernetes.io/hostname';
const apps = ['red', 'green'] as const;

const anApp = fc.constantFrom(...apps);
const aTerm: fc.Arbitrary<PodAffinityTerm> = fc.record({
  labelSelector: anApp.map((app) => ({ matchLabels: { app } })),
  topologyKey: fc.constantFrom(ZONE, HOST),
});
const preferred = fc.record({ weight: fc.integer({ min: 1, max: 100 }), podAffinityTerm: aTerm });

const aSpec: fc.Arbitrary<Partial<Pod['spec']>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.record({
    affinity: fc.record({
      podAntiAffinity: fc.record({
        requiredDuringSchedulingIgnoredDuringExecution: fc.array(aTerm, { minLength: 1, maxLength: 2 }),
      }),
    }),
  }),
  fc.record({
    affinity: fc.record({
      podAffinity: fc.record({
        requiredDuringSchedulingIgnoredDuringExecution: fc.array(aTerm, { maxLength: 2 }),
        preferredDuringSchedulingIgnoredDuringExecution: fc.array(preferred, { maxLength: 2 }),
      }),
    }),
  }),
  fc.record({
    topologySpreadConstraints: fc.array(
      fc.record({
        topologyKey: fc.constantFrom(ZONE, HOST),
        maxSkew: fc.integer({ min: 1, max: 3 }),
        minDomains: fc.integer({ min: 1, max: 3 }),
        whenUnsatisfiable: fc.constant('DoNotSchedule' as const),
        labelSelector: anApp.map((app) => ({ matchLabels: { app } })),
      }),
      { minLength: 1, maxLength: 2 },
    ),
  }),
  fc.record({ nodeSelector: fc.record({ [ZONE]: fc.constantFrom('a', 'b') }) }),
);

interface PodShape {
  readonly app: string;
  readonly cpu: number;
  readonly priority: number;
  readonly spec: Partial<Pod['spec']>;
}
const aPod: fc.Arbitrary<PodShape> = fc.record({
  app: anApp,
  cpu: fc.integer({ min: 0, max: 3 }),
  priority: fc.integer({ min: 0, max: 2 }),
  spec: aSpec,
});
const build = (name: string, shape: PodShape, node?: string): Pod =>
  makePod(name, {
    labels: { app: shape.app },
    priority: shape.priority,
    spec: shape.spec,
    ...(shape.cpu === 0 ? {} : { cpu: String(shape.cpu) }),
    ...(node === undefined ? {} : { node }),
  });

interface NodeShape {
  readonly zone: string;
  readonly cpu: number;
  readonly tainted: boolean;
}
const aNode: fc.Arbitrary<NodeShape> = fc.record({
  zone: fc.constantFrom('a', 'b', 'c', ''),
  cpu: fc.integer({ min: 1, max: 8 }),
  tainted: fc.boolean(),
});
const buildNode = (name: string, { zone, cpu, tainted }: NodeShape): Node =>
  makeNode(name, {
    cpu: String(cpu),
    pods: '6',
    labels: zone === '' ? {} : { [ZONE]: zone },
    taints: tainted ? [{ key: 't', effect: 'NoSchedule' }] : [],
  });

type Step =
  | { readonly do: 'node'; readonly name: number; readonly shape: NodeShape }
  | { readonly do: 'no node'; readonly name: number }
  | { readonly do: 'pod'; readonly name: number; readonly shape: PodShape; readonly node: number }
  | { readonly do: 'no pod'; readonly name: number };

const small = fc.integer({ min: 0, max: 5 });
const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('node' as const), name: small, shape: aNode }),
  fc.record({ do: fc.constant('no node' as const), name: small }),
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pod' as const), name: fc.integer({ min: 0, max: 20 }), shape: aPod, node: small }),
  },
  fc.record({ do: fc.constant('no pod' as const), name: fc.integer({ min: 0, max: 20 }) }),
);

/** What is said about a pod on every node: verdicts, and the points before normalization. */
function verdicts(cluster: TestCluster, pod: Pod): unknown {
  const info = new PodInfo(pod);
  const plans = cluster.algorithm.plan(info);
  if (isRejection(plans)) return plans;
  return [...cluster.cache.nodes]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((node) => {
      const rejection = cluster.algorithm.check(info, plans, node);
      if (rejection !== undefined) return [node.name, rejection.reasons];
      const raw = plans.local.raw.map(({ bySlot }) => bySlot[node.slot]);
      const global = plans.global.map(({ plan }) => (plan.preScore?.(cluster.cache.nodes) === false ? 0 : plan.score?.(node)));
      return [node.name, plans.local.score(node), raw, global];
    });
}

/** How often the same questions are asked while things change: every so many steps. */
const ASK_EVERY = 3;

test('what is kept up from change to change is what would be found by looking at everything anew', () => {
  const questions = fc.array(aPod, { minLength: 4, maxLength: 8 });
  fc.assert(
    fc.property(questions, fc.array(aStep, { minLength: 10, maxLength: 60 }), (shapes, steps) => {
      const selector = selectorFromSet({ app: 'red' });
      const kept = new TestCluster({ selector });
      const liveNodes = new Map<string, Node>();
      const livePods = new Map<string, Pod>();
      steps.forEach((step, i) => {
        const name = `${step.do.endsWith('pod') ? 'p' : 'n'}${step.name}`;
        switch (step.do) {
          case 'node':
            liveNodes.set(name, buildNode(name, step.shape));
            kept.cache.setNode(liveNodes.get(name)!);
            break;
          case 'no node':
            liveNodes.delete(name);
            kept.cache.removeNode(name);
            break;
          case 'pod':
            livePods.set(name, build(name, step.shape, `n${step.node}`));
            kept.cache.setPod(livePods.get(name)!);
            break;
          case 'no pod':
            livePods.delete(name);
            kept.cache.removePod(name);
        }
        if (i % ASK_EVERY !== 0) return;
        const anew = new TestCluster({ selector, nodes: [...liveNodes.values()], pods: [...livePods.values()] });
        for (const shape of shapes) expect(verdicts(kept, build('asked', shape))).toEqual(verdicts(anew, build('asked', shape)));
      });
    }),
    { numRuns: RUNS },
  );
});

test('no node gets more than it has, and every pod that fits somewhere is bound', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(aNode, { minLength: 1, maxLength: 5 }),
      fc.array(aPod, { minLength: 1, maxLength: 25 }),
      async (nodeShapes, podShapes) => {
        const f = createFixture();
        bindingApi(f);
        f.start(scheduler());
        // Nodes and pods come in turn, so that some pods come before there is room.
        for (let i = 0; i < Math.max(nodeShapes.length, podShapes.length); i++) {
          if (i < podShapes.length) await f.api.seed(pods, build(`p${i}`, podShapes[i]!));
          if (i % 5 === 0) await f.advance();
          if (i < nodeShapes.length) await f.api.seed(nodes, buildNode(`n${i}`, nodeShapes[i]!));
        }
        await f.advance();
        await f.advance(20_000);
        f.stop();
        const all = f.api.all(pods);
        const bound = all.filter((p) => (p.spec?.nodeName ?? '') !== '');
        for (const node of f.api.all(nodes)) {
          const here = bound.filter((p) => p.spec?.nodeName === node.metadata?.name);
          const cpu = here.reduce((sum, p) => sum + Number(p.spec?.containers[0]?.resources?.requests?.['cpu'] ?? 0), 0);
          expect(cpu).toBeLessThanOrEqual(Number(node.status?.allocatable?.['cpu']));
          expect(here.length).toBeLessThanOrEqual(6);
        }
        const end = new TestCluster({ nodes: f.api.all(nodes), pods: bound });
        for (const pod of all) {
          if ((pod.spec?.nodeName ?? '') !== '' || pod.metadata?.deletionTimestamp !== undefined) continue;
          expect(end.schedule(pod)).toMatch(/^0\/\d+ nodes are available/);
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test('through failing requests, lost answers and broken watches: every pod gets one node, and no node too much', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(aNode, { minLength: 1, maxLength: 4 }),
      fc.array(aPod, { minLength: 1, maxLength: 15 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
      async (nodeShapes, podShapes, dice) => {
        const f = createFixture();
        let trouble = true;
        const roll = (): number => (trouble ? dice.next().value! : 9);
        bindingApi(f, (name) => {
          if (roll() < 2) throw new Error(`connection refused for ${name}`);
        });
        const handle = f.api.handle.bind(f.api);
        f.api.handle = async (request, user) => {
          const { verb, subresource } = request;
          if (verb === 'patch' && roll() < 2) throw new Error('connection reset');
          const response = await handle(request, user);
          // The binding is made, and its answer lost.
          if (subresource === 'binding' && roll() < 2) throw new Error('connection reset');
          return response;
        };
        for (const [i, shape] of nodeShapes.entries()) await f.api.seed(nodes, buildNode(`n${i}`, shape));
        f.start(scheduler());
        for (const [i, shape] of podShapes.entries()) {
          await f.api.seed(pods, build(`p${i}`, { ...shape, priority: 0 }));
          if (roll() < 2) f.api.endOneWatch();
          if (roll() < 2) await f.advance(500);
        }
        await f.advance(5000);
        trouble = false;
        await f.advance(60_000);
        await f.advance(60_000);
        f.stop();
        const all = f.api.all(pods);
        const bound = all.filter((p) => (p.spec?.nodeName ?? '') !== '');
        for (const node of f.api.all(nodes)) {
          const here = bound.filter((p) => p.spec?.nodeName === node.metadata?.name);
          const cpu = here.reduce((sum, p) => sum + Number(p.spec?.containers[0]?.resources?.requests?.['cpu'] ?? 0), 0);
          expect(cpu).toBeLessThanOrEqual(Number(node.status?.allocatable?.['cpu']));
        }
        const end = new TestCluster({ nodes: f.api.all(nodes), pods: bound });
        for (const pod of all)
          if ((pod.spec?.nodeName ?? '') === '') expect(end.schedule(pod)).toMatch(/^0\/\d+ nodes are available/);
      },
    ),
    { numRuns: RUNS },
  );
});
