import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { KubernetesObject } from '../meta/object.ts';
import { apiVersionOf } from '../meta/object.ts';
import type { RequestContext } from '../resource.ts';
import { builtinResources } from './index.ts';

const context: RequestContext = { user: { name: 'test', groups: [] }, now: Date.UTC(2026, 0, 1), dryRun: false, warnings: [] };

/** The least an object of a type can be. */
const bare = (r: (typeof builtinResources)[number]): KubernetesObject =>
  deepFreeze({ apiVersion: apiVersionOf(r), kind: r.kind, metadata: { name: 'a' } });

describe('the built-in types', () => {
  it('have a group, version and plural of their own', () => {
    const names = builtinResources.map((r) => `${r.group}/${r.version}/${r.plural}`);
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
  });

  it('have short names that mean one thing', () => {
    const meant = new Map<string, string>();
    for (const r of builtinResources) {
      for (const name of [...r.shortNames, r.singular]) {
        // Events are served by two groups and autoscalers in two versions; both mean the same objects.
        expect(meant.get(name) ?? r.plural, name).toBe(r.plural);
        meant.set(name, r.plural);
      }
    }
  });

  it('share a storage prefix only when they are the same objects', () => {
    const stored = new Map<string, string>();
    for (const r of builtinResources) {
      expect(stored.get(r.storage.prefix) ?? r.plural).toBe(r.plural);
      stored.set(r.storage.prefix, r.plural);
    }
  });

  describe.each(builtinResources.map((r) => [`${apiVersionOf(r)} ${r.kind}`, r] as const))('%s', (_name, r) => {
    it('has a schema with metadata', () => {
      expect(r.schema.kind).toBe('object');
      if (r.schema.kind === 'object') expect([...r.schema.fields.keys()]).toContain('metadata');
    });

    it('prints an empty object in as many cells as it has columns', () => {
      // IPAddress has an age without a column, as upstream.
      const cells = r.columns.length + (r.kind === 'IPAddress' ? 1 : 0);
      expect(r.row({}, context.now)).toHaveLength(cells);
      expect(r.row(r.defaults(bare(r)), context.now)).toHaveLength(cells);
    });

    it('defaults once', () => {
      const once = deepFreeze(r.defaults(bare(r)));
      expect(r.defaults(once)).toEqual(once);
    });

    it('prepares and validates a bare object without falling over', () => {
      const made = deepFreeze(r.strategy.prepareForCreate(deepFreeze(r.defaults(bare(r))), context));
      expect(Array.isArray(r.validate(made, context))).toBe(true);
      const next = deepFreeze(r.strategy.prepareForUpdate(made, made, context));
      expect(next).toEqual(made);
      expect(Array.isArray(r.validateUpdate(next, made, context))).toBe(true);
      for (const sub of Object.values(r.subresources)) {
        const through = sub.strategy?.prepareForUpdate(made, made, context) ?? made;
        sub.validateUpdate?.(through, made, context);
      }
      for (const value of Object.values(r.fieldSelectors)) expect(typeof value(made)).toBe('string');
    });

    it('goes to storage and back unchanged', () => {
      if (r.conversion === undefined) return;
      const object = bare(r);
      expect(r.conversion.fromStorage(deepFreeze(r.conversion.toStorage(object)))).toEqual(object);
    });
  });
});
