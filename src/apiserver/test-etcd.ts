import { EtcdServer, etcdIsThere } from '../store/test-support/etcd-server.ts';
import { TEST_ETCD } from './test-store.ts';

/** Starts an etcd for a whole run of the API's tests; the end of the run ends it. Without one installed the run is over memory, and says so. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (!etcdIsThere()) return undefined;
  const server = await EtcdServer.create();
  await server.start();
  await (await server.ready()).close();
  process.env[TEST_ETCD] = server.endpoint;
  return () => server.remove();
}
