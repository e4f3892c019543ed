import type { KubernetesObject } from '../../../api/meta/object.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, ResourceView } from '../../contract.ts';
import type { Expression } from '../cel/expression.ts';
import { compileConditions } from '../cel/match-conditions.ts';
import { declaredVariables } from '../cel/variables.ts';
import { mayMatch } from '../matching/rules.ts';
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

/** Kinds of writes whose hooks are remembered between changes of the configurations. */
const MAX_REMEMBERED = 2_000;

/** The webhooks of all configurations of a kind, in the order of their names; made anew after a change. */
export class HookSource {
  readonly #view: ResourceView<Configuration>;
  #hooks: readonly Hook[] | undefined;
  /** Hooks that one kind of write can concern. */
  readonly #concerned = new Map<string, readonly Hook[]>();

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
    const { operation, resource, subresource, namespace } = attributes;
    const key = `${operation} ${resource.group}/${resource.version}/${resource.resource}/${subresource} ${namespace === ''}`;
    let hooks = this.#concerned.get(key);
    if (hooks === undefined) {
      if (this.#concerned.size >= MAX_REMEMBERED) this.#concerned.clear();
      hooks = this.#all().filter(({ definition }) =>
        definition.rules?.some((rule) => mayMatch(rule, definition.matchPolicy ?? 'Equivalent', attributes)),
      );
      this.#concerned.set(key, hooks);
    }
    return hooks;
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
