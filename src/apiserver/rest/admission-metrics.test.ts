import { afterAll, beforeAll, expect, it } from 'vitest';
import { forbiddenError } from '../../api/meta/status.ts';
import { TestServer } from '../test-server.ts';

let api: TestServer;
beforeAll(async () => {
  api = await TestServer.start({
    admission: [
      { name: 'Nothing', handles: () => true, mutate: ({ object }) => object, metrics: () => 'of_its_own 1\n' },
      {
        name: 'NoSecrets',
        handles: () => true,
        validate: ({ kind }) => {
          if (kind.kind === 'Secret') throw forbiddenError({ group: '', resource: 'secrets' }, 'x', 'no');
        },
      },
    ],
  });
});
afterAll(() => api.close());

it('counts what plugins take, and refuse', async () => {
  await api.post('/api/v1/namespaces/a/configmaps', { metadata: { name: 'a' } });
  await api.post('/api/v1/namespaces/a/secrets', { metadata: { name: 'a' } });
  const text = (await api.get('/metrics')).body.toString();
  const count = (name: string, labels: string): string | undefined =>
    new RegExp(`^apiserver_admission_${name}_admission_duration_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1];
  expect(count('step', 'operation="CREATE",rejected="false",type="admit"')).toBe('2');
  expect(count('step', 'operation="CREATE",rejected="true",type="validate"')).toBe('1');
  expect(count('controller', 'name="Nothing",operation="CREATE",rejected="false",type="admit"')).toBe('2');
  expect(count('controller', 'name="NoSecrets",operation="CREATE",rejected="false",type="validate"')).toBe('1');
  expect(count('controller', 'name="NoSecrets",operation="CREATE",rejected="true",type="validate"')).toBe('1');
  expect(text).toContain('of_its_own 1\n');
});
