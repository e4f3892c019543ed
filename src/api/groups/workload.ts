import { type FieldError, forbidden, invalid, notSupported } from '../meta/field-error.ts';
import { selectorFromObject } from '../meta/label-selector.ts';
import { validateLabelSelector } from '../meta/label-selector-validation.ts';
import { isDNS1123Label, isValidPercent } from '../meta/names.ts';
import type { KubernetesObject } from '../meta/object.ts';
import type { Strategy, Subresource } from '../resource.ts';
import type { PodTemplateSpec } from '../types/core-v1.ts';
import type { LabelSelector } from '../types/meta-v1.ts';
import { withFields } from './core/copy-on-change.ts';
import { prepareTemplate } from './core/pod.ts';
import { podTemplateWarnings } from './core/pod-warnings.ts';
import { withGeneration } from './define.ts';
import { nonNegative, sorted } from './field-checks.ts';
import { semanticEqual } from './semantic-equal.ts';

/** What types have in common that keep pods after a template: ReplicaSets, Deployments, Jobs and their like. */

/** An object with a template for pods in its spec. */
export type Workload<S extends { readonly template?: PodTemplateSpec | undefined }> = KubernetesObject & {
  readonly spec?: S;
  readonly status?: object;
};

/** How a workload type differs from the others in a write. */
export interface WorkloadRules<T> {
  /** The OpenAPI name of its spec. */
  readonly specType: string;
  /** The status of a new object. */
  readonly emptyStatus: NonNullable<unknown>;
  /** A change of annotations is a new generation, too. */
  readonly annotationsCount?: boolean;
  /** The last word on a new object, before its validation. */
  readonly onCreate?: (object: T) => T;
  /** The last word on an updated object, after its generation was set. */
  readonly onUpdate?: (object: T, old: T) => T;
}

/** Status of its own, a generation for every change of the spec, and disabled fields of the template dropped. */
export function workloadStrategy<S extends { readonly template?: PodTemplateSpec | undefined }, T extends Workload<S>>(
  rules: WorkloadRules<T>,
): Pick<Strategy<T>, 'prepareForCreate' | 'prepareForUpdate'> {
  const prepared = (object: T, old: T | undefined): T => {
    const template = object.spec?.template;
    if (template === undefined) return object;
    const after = prepareTemplate(template, old?.spec?.template);
    return after === template ? object : { ...object, spec: { ...object.spec, template: after } };
  };
  return {
    prepareForCreate: (object) => {
      const made = withGeneration(prepared(withFields(object, { status: rules.emptyStatus } as Partial<T>), undefined), 1);
      return rules.onCreate?.(made) ?? made;
    },
    prepareForUpdate: (object, old) => {
      const kept = prepared(withFields(object, { status: old.status } as Partial<T>), old);
      const before = old.metadata?.generation ?? 0;
      const same =
        semanticEqual(rules.specType, kept.spec, old.spec) &&
        (rules.annotationsCount !== true ||
          JSON.stringify(kept.metadata?.annotations ?? {}) === JSON.stringify(old.metadata?.annotations ?? {}));
      const next = withGeneration(kept, same ? before : before + 1);
      return rules.onUpdate?.(next, old) ?? next;
    },
  };
}

/** The `scale` subresource of a type whose spec and status count replicas. `selector` is its label selector as text. */
export function replicaScale<
  T extends KubernetesObject & {
    readonly spec?: { readonly replicas?: number };
    readonly status?: { readonly replicas?: number };
  },
>(selector: (object: T) => string): Subresource<T> {
  return {
    name: 'scale',
    verbs: ['get', 'patch', 'update'],
    kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    scale: {
      specReplicas: (object) => object.spec?.replicas ?? 0,
      withReplicas: (object, replicas) => ({ ...object, spec: { ...object.spec, replicas } }),
      statusReplicas: (object) => object.status?.replicas ?? 0,
      selector,
    },
  };
}

/** Labels as messages show them: in the order of their keys; none at all as Go prints a nil map. */
export function shownLabels(labels: Readonly<Record<string, string>> | undefined): unknown {
  return labels === undefined ? null : sorted(labels);
}

/** A selector that must be there, be valid and select something. `kind` as upstream's message names it. */
export function validateRequiredSelector(selector: LabelSelector | undefined, at: string, kind: string): readonly FieldError[] {
  if (selector === undefined) return [{ type: 'FieldValueRequired', path: at, detail: '' }];
  const errors = [...validateLabelSelector(selector, at)];
  if (isEmptySelector(selector)) errors.push(invalid(at, selector, `empty selector is invalid for ${kind}`));
  return errors;
}

export const isEmptySelector = (selector: LabelSelector): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;

/** Whether the selector can be evaluated at all, and then whether it selects the labels. */
export function selects(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean | 'unusable' {
  try {
    return selectorFromObject(selector).matches(labels ?? {});
  } catch {
    return 'unusable';
  }
}

/** The pods must be those that the selector selects. `at` is the path of the labels. */
export function validateSelected(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> | undefined,
  at: string,
): readonly FieldError[] {
  return selects(selector, labels) === false
    ? [invalid(at, shownLabels(labels), '`selector` does not match template `labels`')]
    : [];
}

/** Pods that are kept running forever: always restarted, and without a deadline. `at` is the path of the template's spec. */
export function validateRunsForever(template: PodTemplateSpec, at: string, kind: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { restartPolicy = '', activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== 'Always') errors.push(notSupported(`${at}.restartPolicy`, restartPolicy, ['Always']));
  if (activeDeadlineSeconds !== undefined) {
    errors.push(forbidden(`${at}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`));
  }
  return errors;
}

/** The counts of a status: none below zero. */
export function validateCounts<T extends object>(status: T, fields: readonly (keyof T & string)[]): readonly FieldError[] {
  return fields.flatMap((field) => nonNegative(`status.${field}`, status[field] as number | undefined));
}

/** None of the counts is more than all the replicas there are, and what is available is ready. */
export function validateReplicaCounts<
  T extends { readonly replicas?: number; readonly readyReplicas?: number; readonly availableReplicas?: number },
>(status: T, fields: readonly (keyof T & string)[]): readonly FieldError[] {
  const replicas = status.replicas ?? 0;
  const errors: FieldError[] = [];
  for (const field of fields) {
    const count = (status[field] as number | undefined) ?? 0;
    if (count > replicas) errors.push(invalid(`status.${field}`, count, 'cannot be greater than status.replicas'));
  }
  const available = status.availableReplicas ?? 0;
  if (available > (status.readyReplicas ?? 0)) {
    errors.push(invalid('status.availableReplicas', available, 'cannot be greater than readyReplicas'));
  }
  return errors;
}

/** A count of collisions only grows: names would repeat. */
export function validateCollisionCount(after: number | undefined, before: number | undefined): readonly FieldError[] {
  if (before === undefined || (after !== undefined && after >= before)) return [];
  return [invalid('status.collisionCount', after ?? 0, 'cannot be decremented')];
}

const percent = /^[0-9]+%$/;
/** A number of pods, or a part of them, of at least none. */
export function validateIntOrPercent(value: number | string | undefined, at: string): readonly FieldError[] {
  if (typeof value === 'string') return isValidPercent(value).map((message) => invalid(at, value, message));
  return nonNegative(at, value ?? 0);
}

/** A part that is no more than the whole. */
export function validateAtMostAll(value: number | string | undefined, at: string): readonly FieldError[] {
  if (typeof value !== 'string' || !percent.test(value) || Number(value.slice(0, -1)) <= 100) return [];
  return [invalid(at, value, 'must not be greater than 100%')];
}

/** The number of an int-or-percent, whatever it is of: only to see whether it is zero. */
export function isZeroOf(value: number | string | undefined): boolean {
  if (typeof value === 'string') return percent.test(value) ? Number(value.slice(0, -1)) === 0 : true;
  return (value ?? 0) === 0;
}

/** Warnings about a template at `spec.template`, when it is new or has changed. */
export function templateWarnings(
  template: PodTemplateSpec | undefined,
  old: PodTemplateSpec | undefined,
  at = 'spec.template',
): readonly string[] {
  if (old !== undefined && (template === old || semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', template, old))) return [];
  return podTemplateWarnings(template, at);
}

/** A warning about the name of a new object whose pods' names begin with it. */
export function podNameWarnings(name: string): readonly string[] {
  const messages = isDNS1123Label(name);
  return messages.length === 0
    ? []
    : [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${messages.join(' ')}]`,
      ];
}
