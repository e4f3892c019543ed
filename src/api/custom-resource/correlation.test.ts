import { expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { Correlation } from './correlation.ts';

const object = deepFreeze({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { n: 1n + 2n ** 60n } });
const spec: JSONSchemaProps = { type: 'object', properties: { n: { type: 'integer' } } };
const unchanged = (properties: Record<string, JSONSchemaProps>): boolean =>
  new Correlation(object, structuredClone(object), { type: 'object', properties }).unchanged;

it('takes a root for unchanged only where its schema names all that there is, as upstream does', () => {
  expect(unchanged({ spec })).toBe(false);
  const text: JSONSchemaProps = { type: 'string' };
  expect(unchanged({ spec, apiVersion: text, kind: text, metadata: { type: 'object' } })).toBe(false);
  expect(unchanged({ spec, apiVersion: text, kind: text, metadata: { type: 'object', properties: { name: text } } })).toBe(true);
});

it('correlates below the root all the same', () => {
  const root = new Correlation(object, structuredClone(object), { type: 'object', properties: { spec } });
  expect(root.key('spec')?.unchanged).toBe(true);
  expect(root.key('metadata')).toBeUndefined();
});
