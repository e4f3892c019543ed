import { configz } from './configuration/configz.ts';
import { KubeletCore } from './kubelet.ts';
import type { KubeletOptions } from './options.ts';
import { reviewAccess, reviewTokens } from './server/auth.ts';
import { KubeletServer } from './server/server.ts';

export {
  ConfigurationError,
  type ConfiguredOptions,
  readKubeletConfiguration,
} from './configuration/kubelet-configuration.ts';
export type { EvictionPolicy } from './eviction/thresholds.ts';
export type { ImageGcPolicy } from './images/image-gc.ts';
export type { Machine, MachineFacts, MachineUse } from './node/machine.ts';
export type { KubeletOptions } from './options.ts';
export { noCgroups, type PodCgroups } from './pods/pod-services.ts';
export { type CgroupLayout, treeCgroups } from './resources/cgroups.ts';
export { type NodeAuthorizer, reviewAccess, reviewTokens, type TokenAuthenticator } from './server/auth.ts';
export type { ServerOptions } from './server/server.ts';
export { hostMounter, type Mounter, plainMounter } from './volumes/mounter.ts';

/** The agent of a node: runs the pods that the API binds to it. */
export interface Kubelet {
  /** Works until the signal aborts; containers go on without it, and are found again by the next. Rejects when the server cannot listen. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves with the port once the server listens; never without a server. */
  readonly listening: Promise<number>;
  /** Ends a pod as Failed and at once, as an eviction by the node does. */
  evict(uid: string, reason: string, message: string): void;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const core = new KubeletCore(options);
  let listens = (_port: number): void => {};
  const listening = new Promise<number>((resolve) => {
    listens = resolve;
  });
  return {
    listening,
    evict: (uid, reason, message) => core.evict(uid, reason, message),
    async run(signal) {
      if (options.server === undefined) return core.run(signal);
      const server = new KubeletServer(options.server, {
        nodeName: options.nodeName,
        runtime: core.options.runtime,
        clock: options.clock,
        logger: options.logger,
        logRoot: '/var/log',
        authenticateToken: options.server.authenticateToken ?? reviewTokens(options.client, options.clock),
        authorize: options.server.authorize ?? reviewAccess(options.client, options.clock),
        pods: () => core.pods(),
        pod: (namespace, name) => core.pod(namespace, name),
        observed: (uid) => core.cache.get(uid),
        observedPods: () => core.observedPods(),
        stats: () => core.stats.snapshot(),
        metrics: () => core.metrics.text(core.observedPods()),
        probeMetrics: () => core.metrics.probesText(),
        configz: () => configz(options),
        healthy: () => (core.ready ? undefined : 'container runtime has not been seen yet'),
      });
      const port = await server.listen();
      core.setPort(port);
      listens(port);
      try {
        await core.run(signal);
      } finally {
        await server.close();
      }
    },
  };
}
