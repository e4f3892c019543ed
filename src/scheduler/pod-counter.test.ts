import fc from 'fast-check';
import { expect, test } from 'vitest';
import { everything } from '../api/meta/label-selector.ts';
import { ClusterCache } from './cache.ts';
import type { CounterSpec } from './pod-counter.ts';
import { makeNode, makePod } from './test-support/objects.ts';

const NODES = 6;
const zoneOf = (n: number): string => `z${n % 3}`;
const spec: CounterSpec = {
  key: 'all by zone',
  matcher: { namespaces: undefined, selector: everything, matches: () => true },
  topologyKey: 'zone',
  usesNamespaceLabels: false,
  eligibility: { key: 'open', matches: (node) => !node.unschedulable },
};

test('sums and the least of them follow every pod and node', () => {
  const step = fc.record({
    node: fc.nat(NODES - 1),
    pod: fc.nat(11),
    what: fc.constantFrom('add', 'add', 'remove', 'cordon', 'open', 'gone'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const cache = new ClusterCache();
      const counter = cache.counter(spec);
      const cordoned = new Map<number, boolean>();
      const places = new Map<number, number>();
      for (const { node, pod, what } of steps) {
        if (what === 'add') {
          places.set(pod, node);
          cache.setPod(makePod(`p${pod}`, { node: `n${node}` }));
        } else if (what === 'remove') {
          places.delete(pod);
          cache.removePod(`p${pod}`);
        } else if (what === 'gone') {
          cordoned.delete(node);
          cache.removeNode(`n${node}`);
        } else {
          cordoned.set(node, what === 'cordon');
          cache.setNode(makeNode(`n${node}`, { labels: { zone: zoneOf(node) }, unschedulable: what === 'cordon' }));
        }
        const open = [...cordoned].filter(([, closed]) => !closed).map(([n]) => n);
        const sums = new Map(open.map((n) => [zoneOf(n), 0]));
        for (const n of places.values()) if (open.includes(n)) sums.set(zoneOf(n), sums.get(zoneOf(n))! + 1);
        expect(counter.domains).toBe(sums.size);
        expect(counter.minimum).toBe(sums.size === 0 ? 0 : Math.min(...sums.values()));
        expect(counter.total).toBe([...sums.values()].reduce((a, b) => a + b, 0));
        for (const n of cordoned.keys()) {
          const { slot } = cache.node(`n${n}`)!;
          expect(counter.around(slot)).toBe(sums.get(zoneOf(n)) ?? 0);
          expect(counter.onNode(slot)).toBe([...places.values()].filter((at) => at === n).length);
        }
      }
    }),
    { numRuns: 60 },
  );
});
