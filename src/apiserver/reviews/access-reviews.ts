import type { KubernetesObject } from '../../api/meta/object.ts';
import type { ApiResponse, UserInfo } from '../../api/request.ts';
import type {
  LocalSubjectAccessReview,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewStatus,
} from '../../api/types/authorization-v1.ts';
import type { Authorizer, HandlerScope, RequestAttributes, VirtualResource } from '../contract.ts';

const GROUP = 'authorization.k8s.io';

type Spec = {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
};

/** The reviews of authorization.k8s.io/v1: may somebody do something? */
export function accessReviews(authorizer: Authorizer): readonly VirtualResource[] {
  const review = (kind: string, namespaced: boolean, handle: VirtualResource['handle']): VirtualResource => ({
    group: GROUP,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    namespaced,
    verbs: ['create'],
    type: `io.k8s.api.authorization.v1.${kind}`,
    handle,
  });
  const answer = async (user: UserInfo, spec: Spec, namespace?: string): Promise<SubjectAccessReviewStatus> => {
    const { decision, reason } = await authorizer.authorize(attributesOf(user, spec, namespace));
    return { allowed: decision === 'allow', ...(decision === 'deny' ? { denied: true } : {}), ...(reason ? { reason } : {}) };
  };
  return [
    review('SubjectAccessReview', false, async (scope) => {
      const body = scope.request.body as SubjectAccessReview;
      return created(body, await answer(subjectOf(body.spec), body.spec));
    }),
    review('LocalSubjectAccessReview', true, async (scope) => {
      const body = scope.request.body as LocalSubjectAccessReview;
      return created(body, await answer(subjectOf(body.spec), body.spec, scope.request.namespace));
    }),
    review('SelfSubjectAccessReview', false, async (scope) => {
      const body = scope.request.body as SelfSubjectAccessReview;
      return created(body, await answer(scope.user, body.spec));
    }),
    review('SelfSubjectRulesReview', false, async (scope) => {
      const body = scope.request.body as SelfSubjectRulesReview;
      return created(body, await rules(authorizer, scope, body.spec.namespace ?? ''));
    }),
  ];
}

async function rules(authorizer: Authorizer, scope: HandlerScope, namespace: string): Promise<object> {
  const held = await authorizer.rulesFor?.(scope.user, namespace);
  return {
    resourceRules: held?.resourceRules ?? [],
    nonResourceRules: held?.nonResourceRules ?? [],
    incomplete: held?.incomplete ?? true,
    ...(held?.evaluationError === undefined ? {} : { evaluationError: held.evaluationError }),
  };
}

function created(body: KubernetesObject, status: object): ApiResponse {
  return { code: 201, object: { ...body, status } as KubernetesObject, warnings: [] };
}

function subjectOf(spec: SubjectAccessReview['spec']): UserInfo {
  return {
    name: spec.user ?? '',
    groups: spec.groups ?? [],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.extra === undefined
      ? {}
      : { extra: Object.fromEntries(Object.entries(spec.extra).map(([k, v]) => [k.toLowerCase(), v])) }),
  };
}

function attributesOf(user: UserInfo, spec: Spec, namespace: string | undefined): RequestAttributes {
  const r = spec.resourceAttributes;
  if (r === undefined) {
    const { path = '', verb = '' } = spec.nonResourceAttributes ?? {};
    return {
      user,
      verb,
      isResourceRequest: false,
      apiGroup: '',
      apiVersion: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      path,
    };
  }
  return {
    user,
    verb: r.verb ?? '',
    isResourceRequest: true,
    apiGroup: r.group ?? '',
    apiVersion: r.version ?? '*',
    resource: r.resource ?? '',
    subresource: r.subresource ?? '',
    namespace: namespace ?? r.namespace ?? '',
    name: r.name ?? '',
    path: '',
    ...(r.fieldSelector?.rawSelector === undefined ? {} : { fieldSelector: r.fieldSelector.rawSelector }),
    ...(r.labelSelector?.rawSelector === undefined ? {} : { labelSelector: r.labelSelector.rawSelector }),
  };
}
