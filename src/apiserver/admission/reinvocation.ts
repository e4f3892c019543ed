import type { KubernetesObject } from '../../api/meta/object.ts';

/** What one round of mutations by webhooks, or by policies, came to. */
export interface Round {
  readonly object: KubernetesObject | undefined;
  readonly changed: boolean;
  /** Those that want their turn once more when something changes, and had one. */
  readonly reinvocable: ReadonlySet<string>;
  /** Of those, the ones after whose turn something changed. */
  readonly outdated: ReadonlySet<string>;
}

/** Keeps account of a round while it goes on. */
export class RoundAccount {
  #object: KubernetesObject | undefined;
  #changed = false;
  readonly #reinvocable = new Set<string>();
  #outdated: ReadonlySet<string> = new Set();

  constructor(object: KubernetesObject | undefined) {
    this.#object = object;
  }

  get object(): KubernetesObject | undefined {
    return this.#object;
  }

  /** One had its turn, and left this object. */
  turn(id: string, isReinvocable: boolean, object: KubernetesObject | undefined): void {
    if (object !== this.#object) {
      this.#object = object;
      this.#changed = true;
      this.#outdated = new Set(this.#reinvocable);
    }
    if (isReinvocable) this.#reinvocable.add(id);
  }

  get round(): Round {
    return {
      object: this.#object,
      changed: this.#changed,
      reinvocable: this.#reinvocable,
      outdated: this.#outdated,
    };
  }
}
