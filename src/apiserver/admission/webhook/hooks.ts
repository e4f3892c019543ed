import { declaredVariables } from '../../../api/cel/admission-variables.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, ResourceView } from '../../contract.ts';
import type { Expression } from '../cel/expression.ts';
import { compileConditions } from '../cel/match-conditions.ts';
import { ByTarget } from '../matching/by-target.ts';
import { type Selectors, selectorsOf } from '../matching/selectors.ts';

/** One webhook of a configuration, its selectors made ready. */
export interface Hook extends Selectors {
  readonly definition: ValidatingWebhook | MutatingWebhook;
  readonly name: string;
  readonly configuration: string;
  /** Tells it from all others: configuration, name, and how often the name came before in it. */
  readonly id: string;
  /** Whether what goes wrong in calling it is let pass. */
  readonly failsOpen: boolean;
  readonly matchConditions: readonly Expression[];
}

const variables = declaredVariables({ params: false, authorizer: true });

type Configuration = KubernetesObject & { readonly webhooks?: readonly (ValidatingWebhook | MutatingWebhook)[] };

/** The webhooks of all configurations of a kind, in the order of their names; made anew after a change. */
export class HookSource {
  readonly #view: ResourceView<Configuration>;
  #hooks: readonly Hook[] | undefined;
  readonly #concerned = new ByTarget<Hook>(
    () => this.#all(),
    ({ definition }) => ({ rules: definition.rules ?? [], policy: definition.matchPolicy ?? 'Equivalent' }),
  );

  constructor(view: ResourceView<Configuration>) {
    this.#view = view;
    view.watch(() => {
      this.#hooks = undefined;
      this.#concerned.clear();
    }, new AbortController().signal);
  }

  /** Whether there is any webhook at all. */
  get isEmpty(): boolean {
    return this.#all().length === 0;
  }

  /** The webhooks that writes like this one can concern, whatever the object. */
  for(attributes: AdmissionAttributes): readonly Hook[] {
    return this.#concerned.for(attributes);
  }

  #all(): readonly Hook[] {
    this.#hooks ??= [...this.#view.list()].flatMap(hooksOf);
    return this.#hooks;
  }
}

function hooksOf(configuration: Configuration): readonly Hook[] {
  const name = configuration.metadata?.name ?? '';
  const seen = new Map<string, number>();
  return (configuration.webhooks ?? []).map((definition) => {
    const count = seen.get(definition.name) ?? 0;
    seen.set(definition.name, count + 1);
    return {
      definition,
      name: definition.name,
      configuration: name,
      id: `${name}/${definition.name}/${count}`,
      ...selectorsOf(definition),
      failsOpen: definition.failurePolicy === 'Ignore',
      matchConditions: compileConditions(definition.matchConditions, variables),
    };
  });
}
