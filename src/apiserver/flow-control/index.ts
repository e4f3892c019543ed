import type { ApiServer } from '../server.ts';
import { DUMPS, flowControlDump } from './dumps.ts';
import { FlowControl } from './flow-control.ts';
import { flowControlMetrics } from './flow-metrics.ts';

export { FlowControl };

/** Has a server's requests pass flow control, and shows it. Resolves when its bootstrap objects are there. */
export async function addFlowControl(server: ApiServer, flow: FlowControl): Promise<void> {
  flow.countObjectsBy(
    ({ apiGroup, apiVersion, resource }) => server.registry.find(apiGroup, apiVersion, resource)?.collection.snapshot().size,
  );
  server.metrics.addSource(() => flowControlMetrics(flow));
  server.addRoutePrefix(DUMPS, (request) => flowControlDump(flow, server.clock, request));
  server.flowControl = flow;
  await flow.start(server.access, server.shutdown);
}
