/** The version of Kubernetes that is spoken. */
export const KUBERNETES_VERSION = 'v1.36.0';
/** The version of k8ts; the bundle has it from package.json. */
export const VERSION = process.env.K8TS_VERSION ?? '0.0.0-source';
