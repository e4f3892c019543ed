import { ANY_VERSION_TYPES, groupTag, groupVersionTag, type Operation } from './operations.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const VERSION_INFO_DEFINITION = 'io.k8s.apimachinery.pkg.version.Info';

type Told = Pick<Operation, 'path' | 'id' | 'description' | 'tag'> & Partial<Operation>;

/** A document that is read and no object: neither of a kind nor with parameters. */
const document = (told: Told): Operation => ({
  method: 'get',
  action: undefined,
  kind: undefined,
  body: undefined,
  consumes: ANY_VERSION_TYPES,
  produces: ANY_VERSION_TYPES,
  response: undefined,
  codes: [200],
  parameters: [],
  ...told,
});

/** `/api`. */
export const coreVersionsOperation: Operation = document({
  path: '/api/',
  id: 'getCoreAPIVersions',
  description: 'get available API versions',
  tag: 'core',
  response: `${META}.APIVersions`,
});

/** `/apis`. */
export const groupListOperation: Operation = document({
  path: '/apis/',
  id: 'getAPIVersions',
  description: 'get available API versions',
  tag: 'apis',
  response: `${META}.APIGroupList`,
});

/** `/apis/G`. */
export const groupOperation = (group: string): Operation =>
  document({
    path: `/apis/${group}/`,
    id: `get${groupTag(group)}APIGroup`,
    description: 'get information of a group',
    tag: lowerFirst(groupTag(group)),
    response: `${META}.APIGroup`,
  });

/** `/api/v1`, `/apis/G/V`: `base` is that path. */
export const resourcesOperation = (base: string, group: string, version: string): Operation =>
  document({
    path: `${base}/`,
    id: `get${groupVersionTag(group, version)}APIResources`,
    description: 'get available resources',
    tag: `${lowerFirst(groupTag(group))}_${version}`,
    response: `${META}.APIResourceList`,
  });

const json = ['application/json'];

/** What every server has beside its API, or some have: by their paths, without the slash at the end. */
export const pageOperations: ReadonlyMap<string, Operation> = new Map(
  [
    document({
      path: '/version/',
      id: 'getCodeVersion',
      description: 'get the version information for this server',
      tag: 'version',
      consumes: json,
      produces: json,
      response: VERSION_INFO_DEFINITION,
    }),
    document({
      path: '/.well-known/openid-configuration/',
      id: 'getServiceAccountIssuerOpenIDConfiguration',
      description: "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
      tag: 'WellKnown',
      consumes: undefined,
      produces: json,
    }),
    document({
      path: '/openid/v1/jwks/',
      id: 'getServiceAccountIssuerOpenIDKeyset',
      description: 'get service account issuer OpenID JSON Web Key Set (contains public token verification keys)',
      tag: 'openid',
      consumes: undefined,
      produces: ['application/jwk-set+json'],
    }),
  ].map((operation) => [operation.path.slice(0, -1), operation]),
);

/** The schema of `/version`, which no struct of the API has. */
export function versionInfoSchema(withDefaults: boolean): object {
  const always = ['major', 'minor', 'gitVersion', 'gitCommit', 'gitTreeState', 'buildDate', 'goVersion', 'compiler', 'platform'];
  const sometimes = ['emulationMajor', 'emulationMinor', 'minCompatibilityMajor', 'minCompatibilityMinor'];
  const property = (name: string): object => ({
    ...(withDefaults && always.includes(name) ? { default: '' } : {}),
    type: 'string',
  });
  return {
    description: 'The version of the server, and of what it was built from and runs on.',
    properties: Object.fromEntries([...always, ...sometimes].sort().map((name) => [name, property(name)])),
    required: always,
    type: 'object',
  };
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
