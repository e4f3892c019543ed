/** The version of Kubernetes that is spoken. */
export const KUBERNETES_VERSION = 'v1.36.0';
/** The version of k8ts; the bundle has it from package.json. */
export const VERSION = process.env.K8TS_VERSION ?? '0.0.0-source';
/** The commit the bundle was made of; empty where it was not made in a checkout. */
export const COMMIT = process.env.K8TS_COMMIT ?? '';
/** When that commit was made, RFC 3339. */
export const COMMIT_DATE = process.env.K8TS_COMMIT_DATE ?? '1970-01-01T00:00:00Z';
