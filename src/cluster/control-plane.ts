import { Registry } from 'prom-client';
import { builtinResources } from '../api/groups/index.ts';
import type { UserInfo } from '../api/request.ts';
import { defaultAdmission, ensurePriorityClasses } from '../apiserver/admission/index.ts';
import { anonymousAuthenticator } from '../apiserver/authn/anonymous.ts';
import { bootstrapTokenAuthenticator } from '../apiserver/authn/bootstrap-token.ts';
import { ensureTokenTracking, signLegacyToken } from '../apiserver/authn/legacy-token.ts';
import { requestHeaderAuthenticator } from '../apiserver/authn/request-header.ts';
import { jsonWebKeySet, openIdConfiguration, serviceAccountKeys } from '../apiserver/authn/service-account-keys.ts';
import { serviceAccountAuthenticator } from '../apiserver/authn/service-account-token.ts';
import { webSocketTokenAuthenticator } from '../apiserver/authn/websocket-token.ts';
import { x509Authenticator } from '../apiserver/authn/x509.ts';
import { ensureBootstrapPolicy } from '../apiserver/authz/bootstrap.ts';
import { mastersAuthorizer, unionAuthorizer } from '../apiserver/authz/chain.ts';
import { nodeAuthorizer } from '../apiserver/authz/node.ts';
import { rbacAuthorizer } from '../apiserver/authz/rbac.ts';
import { fieldManager } from '../apiserver/field-manager/index.ts';
import { addFlowControl, FlowControl } from '../apiserver/flow-control/index.ts';
import {
  type ApiServer,
  addAggregation,
  addComponentStatuses,
  addKubeletProxy,
  createApiServer,
  type Listener,
  loopbackUser,
} from '../apiserver/index.ts';
import { accessReviews } from '../apiserver/reviews/access-reviews.ts';
import { tokenRequestHandler } from '../apiserver/reviews/token-request.ts';
import { authenticationReviews } from '../apiserver/reviews/token-reviews.ts';
import {
  type Client,
  type ControllerContext,
  createClient,
  createControllerContext,
  inProcessTransport,
} from '../client/index.ts';
import type { ControllersOptions } from '../controllers/index.ts';
import type { Store } from '../store/contract.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import { turn } from '../util/slice.ts';
import { ApiServerIdentity } from './api-server-identity.ts';
import { ApiServerPublication } from './api-server-publication.ts';
import { auditLogOf } from './audit.ts';
import { type ClusterConfig, runs } from './config.ts';
import type { ComponentStatus } from './control.ts';
import { ControlLoops } from './control-loops.ts';
import { loadDescriptions } from './descriptions.ts';
import { UserError } from './layout.ts';
import type { ClusterPki } from './pki.ts';
import { COMMIT, COMMIT_DATE, KUBERNETES_VERSION } from './version.ts';

/** The issuer of service account tokens, as kubeadm has it. */
const TOKEN_ISSUER = 'https://kubernetes.default.svc.cluster.local';
/** Who may speak for others, as kubeadm names it; `pki.frontProxyClient` is that. */
const FRONT_PROXY_NAME = 'front-proxy-client';

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly config: ClusterConfig;
  readonly pki: ClusterPki;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A running control plane. */
export interface ControlPlane {
  readonly server: ApiServer;
  readonly listener: Listener;
  /** A client in this process that acts as `user`. */
  clientFor(user: UserInfo): Client;
  /** What components in this process share; informers included. */
  contextFor(user: UserInfo, component: string): ControllerContext;
  /** How the parts of the control plane are. */
  health(): Promise<readonly ComponentStatus[]>;
  close(): Promise<void>;
}

/** Everything that the control plane's own loops may do: they are the cluster. */
export const controllerManager: UserInfo = {
  name: 'system:kube-controller-manager',
  groups: ['system:masters', 'system:authenticated'],
};

/** Parts of the start by upstream's names of its post-start hooks. */
const AGGREGATION_HOOKS: readonly string[] = [
  'aggregator-reload-proxy-client-cert',
  'start-kube-aggregator-informers',
  'apiservice-status-local-available-controller',
  'apiservice-status-remote-available-controller',
  'apiservice-registration-controller',
  'apiservice-discovery-controller',
  'kube-apiserver-autoregistration',
  'apiservice-openapi-controller',
  'apiservice-openapiv3-controller',
];
const FLOW_HOOKS: readonly string[] = [
  'priority-and-fairness-config-consumer',
  'priority-and-fairness-filter',
  'priority-and-fairness-config-producer',
];
const IDENTITY_HOOKS: readonly string[] = [
  'start-kube-apiserver-identity-lease-controller',
  'start-kube-apiserver-identity-lease-garbage-collector',
];

const kubeScheduler: UserInfo = { name: 'system:kube-scheduler', groups: ['system:authenticated'] };

/**
 * Starts API server, controllers and scheduler in this process; the latter two unless they are disabled. Resolves when the API answers over HTTPS with its bootstrap policy in place.
 * Throws `UserError` when the port is taken.
 */
export async function startControlPlane(options: ControlPlaneOptions, signal: AbortSignal): Promise<ControlPlane> {
  const { store, config, pki, clock, random, logger } = options;
  const keys = serviceAccountKeys({
    issuer: TOKEN_ISSUER,
    privateKey: pki.serviceAccount.privateKey,
    publicKeys: [pki.serviceAccount.publicKey],
  });
  const tokens = serviceAccountAuthenticator(keys);
  const bootstrapTokens = bootstrapTokenAuthenticator();
  const rbac = rbacAuthorizer();
  const nodes = nodeAuthorizer();
  const fields = fieldManager();
  const authorizer = unionAuthorizer([mastersAuthorizer, nodes, rbac]);
  const audit = await auditLogOf(config, clock, logger.child({ component: 'audit' }));
  const server = await createApiServer({
    store,
    ...(audit === undefined ? {} : { audit }),
    resources: builtinResources,
    virtualResources: [...accessReviews(authorizer), ...authenticationReviews(tokens, [bootstrapTokens])],
    subresourceHandlers: [tokenRequestHandler(keys)],
    authenticators: [
      requestHeaderAuthenticator({ clock, allowedNames: [FRONT_PROXY_NAME] }),
      x509Authenticator(clock),
      tokens,
      bootstrapTokens,
      webSocketTokenAuthenticator([tokens, bootstrapTokens]),
      anonymousAuthenticator,
    ],
    authorizer,
    admission: defaultAdmission({ authorizer }),
    fieldManager: fields,
    serviceCidrs: [config.serviceCidr],
    descriptions: loadDescriptions,
    clock,
    random,
    logger: logger.child({ component: 'apiserver' }),
    version: { gitVersion: `${KUBERNETES_VERSION}+k8ts`, gitCommit: COMMIT, buildDate: COMMIT_DATE },
    flags: flagsOf(config),
  });
  await turn();
  for (const part of [tokens, bootstrapTokens, rbac, nodes, fields]) part.initialize(server.access);
  addAggregation(server, pki.frontProxyClient);
  addKubeletProxy(server, { ca: pki.ca.cert, ...pki.apiserverKubeletClient });
  const url = `https://${config.nodeIp}:${config.port}`;
  const json = (body: unknown, contentType = 'application/json'): { code: number; contentType: string; body: Buffer } => ({
    code: 200,
    contentType,
    body: Buffer.from(JSON.stringify(body)),
  });
  server.addRoute('/.well-known/openid-configuration', () => json(openIdConfiguration(keys, url)));
  server.addRoute('/openid/v1/jwks', async () => json(await jsonWebKeySet(keys), 'application/jwk-set+json'));
  server.startHooks.add(AGGREGATION_HOOKS, Promise.resolve());
  const step = (work: Promise<unknown>, ...hooks: readonly string[]): Promise<unknown> => {
    server.startHooks.add(hooks, work);
    return work;
  };
  await Promise.all([
    step(ensureBootstrapPolicy(server.access), 'start-system-namespaces-controller', 'rbac/bootstrap-roles'),
    step(ensurePriorityClasses(server.access), 'scheduling/bootstrap-system-priority-classes'),
    step(addFlowControl(server, new FlowControl({ clock, logger: logger.child({ component: 'flow-control' }) })), ...FLOW_HOOKS),
    step(ensureTokenTracking(server.access), 'start-legacy-token-tracking-controller'),
  ]);
  const clientFor = (user: UserInfo): Client => createClient(inProcessTransport(server, user));
  // One place to scrape: what upstream spreads over three processes' /metrics stands together in the API server's.
  const metrics = new Registry();
  server.metrics.addRegistry(metrics);
  const context = (user: UserInfo, component: string, registry: Registry): ControllerContext =>
    createControllerContext({
      client: clientFor(user),
      clock,
      random,
      logger: logger.child({ component }),
      metrics: registry,
    });
  const contextFor = (user: UserInfo, component: string): ControllerContext => context(user, component, metrics);
  const publication = new ApiServerPublication({ client: clientFor(controllerManager), store, config, pki, clock, logger });
  const [listener] = await Promise.all([
    listen(server, config, pki),
    step(publication.start(), 'bootstrap-controller', 'start-cluster-authentication-info-controller'),
  ]);
  const identity = new ApiServerIdentity({ client: clientFor(controllerManager), clock, random, logger });
  step(Promise.resolve(identity.run(signal)), ...IDENTITY_HOOKS);
  // Loaded when the API answers: it is the first that anybody waits for.
  const [{ controllers }, { scheduler }] = await Promise.all([
    import('../controllers/index.ts'),
    import('../scheduler/index.ts'),
  ]);
  // Simulated nodes have no network, and may be more than the pod network has ranges.
  const ranges = { clusterCidrs: [config.clusterCidr], serviceCidrs: [config.serviceCidr] };
  const nodeIpam = config.simulatedNodes > 0 ? {} : { nodeIpam: ranges };
  const all: ControllersOptions = {
    rootCa: pki.ca.cert,
    signing: pki.ca,
    signToken: (account, secret) => signLegacyToken(keys, account, secret),
    namespaceDeletionGraceMs: 0,
    ...nodeIpam,
  };
  const users = { controllers: controllerManager, scheduler: kubeScheduler };
  const loops = new ControlLoops({
    config,
    shared: contextFor(controllerManager, 'controllers'),
    clientFor: (name) => clientFor(users[name]),
    ownContext: (name, leading) => {
      const registry = new Registry();
      server.metrics.addRegistry(registry, leading);
      return context(controllerManager, name, registry);
    },
    turn,
  });
  // It acts as itself, and looks at the same caches as the controllers where it is in one process with them.
  const asScheduler = contextFor(kubeScheduler, 'scheduler');
  await loops.run(
    [
      { name: 'controllers', loops: () => controllers(all) },
      {
        name: 'scheduler',
        loops: () => [scheduler()],
        adapt: (shared) => ({
          ...shared,
          client: asScheduler.client,
          logger: asScheduler.logger,
          recorder: asScheduler.recorder,
        }),
      },
    ],
    signal,
  );
  addComponentStatuses(server, [
    { name: 'etcd-0', check: async () => void (await server.raw('/readyz/etcd', loopbackUser)) },
    ...(['scheduler', 'controllers'] as const)
      .filter((name) => runs(config, name))
      .map((name) => ({
        name: name === 'controllers' ? 'controller-manager' : name,
        check: () => mustBeHealthy(loops.health(name)),
      })),
  ]);
  return {
    server,
    listener,
    clientFor,
    contextFor,
    health: async () => [...(await health(server, config)), loops.health('controllers'), loops.health('scheduler')],
    close: async () => {
      await publication.stop();
      await server.close();
      await audit?.close();
    },
  };
}

function mustBeHealthy({ healthy, message }: ComponentStatus): void {
  if (!healthy) throw new Error(message);
}

/** What upstream's API server would have been started with. */
const flagsOf = (config: ClusterConfig): Readonly<Record<string, string>> => ({
  'advertise-address': config.nodeIp,
  'allow-privileged': 'true',
  'audit-log-path': config.auditLogPath ?? '',
  'audit-policy-file': config.auditPolicyFile ?? '',
  'authorization-mode': 'Node,RBAC',
  'bind-address': config.bindAddress,
  'enable-bootstrap-token-auth': 'true',
  'requestheader-allowed-names': FRONT_PROXY_NAME,
  'secure-port': String(config.port),
  'service-account-issuer': TOKEN_ISSUER,
  'service-cluster-ip-range': config.serviceCidr,
  ...(config.etcd === undefined ? {} : { 'etcd-prefix': config.etcd.prefix, 'etcd-servers': config.etcd.servers.join(',') }),
});

async function listen(server: ApiServer, config: ClusterConfig, pki: ClusterPki): Promise<Listener> {
  try {
    return await server.listen({
      port: config.port,
      host: config.bindAddress,
      tls: { ...pki.apiserver, clientCa: pki.ca.cert, frontProxyCa: pki.frontProxyCa.cert },
    });
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw err;
    throw new UserError(`Port ${config.port} is in use by another program. Stop that one, or choose another port with --port.`);
  }
}

async function health(server: ApiServer, config: ClusterConfig): Promise<readonly ComponentStatus[]> {
  const check = async (name: string, path: string, message: string): Promise<ComponentStatus> => {
    try {
      await server.raw(path, loopbackUser);
      return { name, healthy: true, message };
    } catch (err) {
      return { name, healthy: false, message: (err as Error).message };
    }
  };
  return Promise.all([
    check('apiserver', '/livez/ping', `https://${config.bindAddress}:${config.port}`),
    check('store', '/readyz/etcd', config.etcd === undefined ? 'embedded' : `etcd at ${config.etcd.servers.join(', ')}`),
  ]);
}
