import type { AuthorizationResult, Authorizer, HeldRules } from '../contract.ts';

const MASTERS = 'system:masters';

/** Members of system:masters may do everything: the way back in when RBAC is broken. */
export const mastersAuthorizer: Authorizer = {
  authorize: ({ user }) => (user.groups.includes(MASTERS) ? { decision: 'allow', reason: '' } : { decision: 'no-opinion' }),
  rulesFor: (user) =>
    user.groups.includes(MASTERS)
      ? {
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          incomplete: false,
        }
      : { resourceRules: [], nonResourceRules: [], incomplete: false },
};

/** Asks one authorizer after the other: the first that allows or denies decides. Reasons of those without an opinion are joined. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize(attributes) {
      const reasons: string[] = [];
      const from = (start: number): AuthorizationResult | Promise<AuthorizationResult> => {
        for (let i = start; i < authorizers.length; i++) {
          const result = authorizers[i]!.authorize(attributes);
          if (result instanceof Promise) return result.then((r) => settle(r) ?? from(i + 1));
          const settled = settle(result);
          if (settled !== undefined) return settled;
        }
        return { decision: 'no-opinion', ...(reasons.length === 0 ? {} : { reason: reasons.join('\n') }) };
      };
      const settle = (result: AuthorizationResult): AuthorizationResult | undefined => {
        if (result.decision !== 'no-opinion') return result;
        if (result.reason) reasons.push(result.reason);
        return undefined;
      };
      return from(0);
    },
    async rulesFor(user, namespace) {
      const all: HeldRules[] = [];
      for (const authorizer of authorizers)
        if (authorizer.rulesFor !== undefined) all.push(await authorizer.rulesFor(user, namespace));
      return {
        resourceRules: all.flatMap((r) => r.resourceRules),
        nonResourceRules: all.flatMap((r) => r.nonResourceRules),
        incomplete: all.some((r) => r.incomplete),
      };
    },
  };
}
