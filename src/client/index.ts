/**
 * How everything but the API server speaks to it: typed clients over two transports, informers, work queues, leader election, event recorders.
 * The contracts are in `contract.ts` and `controller.ts`.
 */
export { createClient } from './client.ts';
export type * from './contract.ts';
export type { Controller, ControllerContext } from './controller.ts';
export { createControllerContext, runControllers, startController, startReconciler } from './controller-runner.ts';
export { createEventRecorder, objectReference } from './event-recorder.ts';
export { type HttpTransport, type HttpTransportOptions, httpTransport } from './http.ts';
export { inProcessTransport } from './in-process.ts';
export { createInformerFactory } from './informer.ts';
export {
  type Kubeconfig,
  type KubeconfigEntry,
  kubeconfigTransport,
  loadKubeconfig,
  mergeKubeconfig,
  parseKubeconfig,
  removeFromKubeconfig,
  serializeKubeconfig,
} from './kubeconfig.ts';
export { runLeaderElection } from './leader-election.ts';
export { createWorkQueue, runWorkers, type WorkerQueue } from './work-queue.ts';
