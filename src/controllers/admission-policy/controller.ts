import { compileSchema } from '../../api/custom-resource/structural-schema.ts';
import { builtinResources } from '../../api/groups/index.ts';
import { isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions-v1.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { customResourceDefinitions, validatingAdmissionPolicies } from '../../client/resource-refs.ts';
import { type KnownType, typeWarnings } from './type-checking.ts';

const NAME = 'validatingadmissionpolicy-status';

/** Tells in the status of each ValidatingAdmissionPolicy what its expressions cannot mean, once for every generation. */
export function admissionPolicyStatusController(): Controller {
  return {
    name: `${NAME}-controller`,
    start(context, signal) {
      const policies = context.informers.informer(validatingAdmissionPolicies);
      const definitions = context.informers.informer(customResourceDefinitions);
      const client = context.client.resource(validatingAdmissionPolicies);
      const queue = startReconciler(
        context,
        {
          name: NAME,
          workers: 1,
          informers: [policies, definitions],
          reconcile: async (name) => {
            const policy = policies.get(name);
            if (policy === undefined || (policy.metadata?.generation ?? 0) <= (policy.status?.observedGeneration ?? 0)) return;
            const expressionWarnings = typeWarnings(policy, [...builtinResources, ...definitions.list().flatMap(typesOf)]);
            const status = {
              observedGeneration: policy.metadata?.generation ?? 0,
              typeChecking: expressionWarnings.length === 0 ? {} : { expressionWarnings },
            };
            const applied = {
              apiVersion: 'admissionregistration.k8s.io/v1',
              kind: 'ValidatingAdmissionPolicy',
              metadata: { name },
              status,
            };
            try {
              await client.patch(name, '', patchTypes.apply, applied, {
                subresource: 'status',
                fieldManager: NAME,
                force: true,
                signal,
              });
            } catch (err) {
              if (!isNotFound(err)) throw err;
            }
          },
        },
        signal,
      );
      policies.addHandler({
        onAdd: (policy) => queue.add(policy.metadata!.name!),
        onUpdate: (policy) => queue.add(policy.metadata!.name!),
      });
    },
  };
}

/** The types that a definition serves. Their schemas are made when they are looked at. */
function typesOf({ spec }: CustomResourceDefinition): readonly KnownType[] {
  return spec.versions
    .filter((version) => version.served)
    .map((version) => ({
      group: spec.group,
      version: version.name,
      kind: spec.names.kind,
      plural: spec.names.plural,
      get schema() {
        return compileSchema(version);
      },
    }));
}
