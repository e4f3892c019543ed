import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { isRepeated } from '../../api/repeated-parts.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { Families } from './families.ts';

type WithSpec = KubernetesObject & { readonly spec?: object };

const made = (name: string, spec: object | undefined, generateName?: string): WithSpec =>
  deepFreeze({
    metadata: { name, namespace: 'a', labels: { app: 'x' }, ...(generateName === undefined ? {} : { generateName }) },
    ...(spec === undefined ? {} : { spec }),
  });

describe('Families', () => {
  it('give objects of one family what they have in common', () => {
    const families = new Families();
    const first = families.share(made('one', { list: [{ a: 1 }, { b: 2 }] })) as WithSpec;
    const second = families.share(made('two', { list: [{ a: 1 }, { b: 2 }] })) as WithSpec;
    expect(second).toEqual(made('two', { list: [{ a: 1 }, { b: 2 }] }));
    expect(second.spec).toBe(first.spec);
    expect(second.metadata?.labels).toBe(first.metadata?.labels);
    expect(isRepeated(second.spec!)).toBe(true);
    const other = families.share(made('three', { list: [{ a: 1 }, { b: 3 }] })) as WithSpec;
    expect(other.spec).toEqual({ list: [{ a: 1 }, { b: 3 }] });
    expect(isRepeated(other.spec!)).toBe(false);
    const again = families.share(made('four', { list: [{ a: 1 }, { b: 3 }] })) as WithSpec;
    expect(again.spec).toBe(other.spec);
    expect(Object.isFrozen(again) && Object.isFrozen(again.metadata)).toBe(true);
  });

  it('are told apart by generateName', () => {
    const families = new Families();
    const first = families.share(made('one', { a: {} }, 'a-')) as WithSpec;
    expect((families.share(made('two', { a: {} }, 'b-')) as WithSpec).spec).not.toBe(first.spec);
    expect((families.share(made('three', { a: {} }, 'a-')) as WithSpec).spec).toBe(first.spec);
  });

  it('know the specs again that one template gives', () => {
    const families = new Families();
    const [template, fresh] = [deepFreeze({ a: { b: 1 } }), { a: { b: 1 } }];
    families.note({ spec: template });
    expect(isRepeated(template)).toBe(false);
    families.note({ spec: template });
    expect(isRepeated(template)).toBe(true);
    for (const body of [{ spec: fresh }, { spec: fresh }, null, 'spec', { spec: 1 }]) families.note(body);
    expect(isRepeated(fresh)).toBe(false);
  });

  it('leave objects without a spec as they are', () => {
    const families = new Families();
    families.share(made('one', undefined));
    const second = made('two', undefined);
    expect(families.share(second)).toBe(second);
  });
});
