import { type FieldError, invalid, notSupported, required } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, conflict, invalidObject, notFound } from '../../api/meta/status.ts';
import type { TokenRequest, TokenRequestSpec } from '../../api/types/authentication-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { ServiceAccountKeys } from '../authn/service-account-keys.ts';
import { type BoundObject, signToken } from '../authn/service-account-token.ts';
import type { HandlerScope, SubresourceHandler } from '../contract.ts';

const DEFAULT_EXPIRATION_SECONDS = 3600;
const MIN_EXPIRATION_SECONDS = 600;
/** Validation refuses more; the token then lives at most this long. */
const MAX_EXPIRATION_SECONDS = 2 ** 32;

const noSpec: TokenRequestSpec = { audiences: [] };

const resources = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const;

/** `serviceaccounts/token`: makes a token for a service account, bound to a Pod, Secret or Node when asked (TokenRequest). */
export function tokenRequestHandler(keys: ServiceAccountKeys): SubresourceHandler {
  return {
    group: '',
    resource: 'serviceaccounts',
    subresource: 'token',
    async handle(scope) {
      const body = scope.request.body as TokenRequest;
      const spec = body.spec ?? noSpec;
      const { name = '', namespace = '', uid = '' } = scope.parent?.metadata ?? {};
      if ((body.metadata?.name ?? name) !== name || (body.metadata?.namespace ?? namespace) !== namespace) {
        throw badRequest('the name and namespace of the token request must be those of the service account');
      }
      const expirationSeconds = spec.expirationSeconds ?? DEFAULT_EXPIRATION_SECONDS;
      const errors = validate(spec, expirationSeconds);
      if (errors.length > 0) throw invalidObject({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, name, errors);
      const audiences = spec.audiences !== undefined && spec.audiences.length > 0 ? spec.audiences : keys.apiAudiences;
      const bound = boundObject(scope, spec, namespace, name);
      const node = bound?.kind === 'Pod' ? nodeOfPod(scope, namespace, bound.name) : undefined;
      const signed = await signToken(keys, {
        namespace,
        name,
        uid,
        audiences,
        expirationSeconds,
        ...(bound === undefined ? {} : { bound }),
        ...(node === undefined ? {} : { node }),
        id: scope.access.random.uuid(),
        now: scope.now,
      });
      const object = {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name, namespace, creationTimestamp: timestamp(scope.now) },
        spec: { ...spec, audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
        status: { token: scope.dryRun ? '' : signed.token, expirationTimestamp: timestamp(signed.expires) },
      };
      return { code: 201, object: object as KubernetesObject, warnings: [] };
    },
  };
}

const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function validate(spec: TokenRequestSpec, expirationSeconds: number): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (expirationSeconds < MIN_EXPIRATION_SECONDS)
    errors.push(invalid('spec.expirationSeconds', expirationSeconds, 'may not specify a duration less than 10 minutes'));
  if (expirationSeconds > MAX_EXPIRATION_SECONDS)
    errors.push(invalid('spec.expirationSeconds', expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
  const ref = spec.boundObjectRef;
  if (ref !== undefined && !(ref.kind !== undefined && ref.kind in resources)) {
    errors.push(
      ref.kind === undefined || ref.kind === ''
        ? required('spec.boundObjectRef.kind')
        : notSupported('spec.boundObjectRef.kind', ref.kind, Object.keys(resources)),
    );
  }
  if (ref !== undefined && (ref.name ?? '') === '') errors.push(required('spec.boundObjectRef.name'));
  return errors;
}

function boundObject(scope: HandlerScope, spec: TokenRequestSpec, namespace: string, account: string): BoundObject | undefined {
  const ref = spec.boundObjectRef;
  if (ref === undefined) return undefined;
  const kind = ref.kind as BoundObject['kind'];
  const subject = { group: '', resource: resources[kind] };
  const name = ref.name ?? '';
  const found = scope.access.view('', resources[kind])?.get(kind === 'Node' ? '' : namespace, name);
  if (found === undefined) throw notFound(subject, name);
  const uid = found.metadata?.uid ?? '';
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== uid) {
    throw conflict(
      subject,
      name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const podAccount = (found as Pod).spec?.serviceAccountName;
  if (kind === 'Pod' && podAccount !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  return { kind, name, uid };
}

function nodeOfPod(
  scope: HandlerScope,
  namespace: string,
  pod: string,
): { readonly name: string; readonly uid?: string } | undefined {
  const name = scope.access.view<Pod>('', 'pods')?.get(namespace, pod)?.spec?.nodeName;
  if (name === undefined || name === '') return undefined;
  const uid = scope.access.view<Node>('', 'nodes')?.get('', name)?.metadata?.uid;
  return { name, ...(uid === undefined ? {} : { uid }) };
}
