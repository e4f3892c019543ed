import { duplicate, type FieldError, FieldPath, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { isDNS1035Label, isDNS1123Subdomain, nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../types/admissionregistration-v1.ts';
import { age, column, deepEqual, groupVersion, standardColumns, withGeneration } from '../define.ts';
import { clientConfigFaults, defaultClientConfig, reviewVersionFaults } from '../webhook-client.ts';
import { matchConditionFaults } from './expressions.ts';
import { defaultRule, ruleFaults } from './rules.ts';

const define = groupVersion('admissionregistration.k8s.io', 'v1');

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;
type Webhook = ValidatingWebhook | MutatingWebhook;

const reviewVersions = ['v1', 'v1beta1'];
const sideEffects = ['None', 'NoneOnDryRun'];
/** Seconds that a webhook is waited for, when it does not say; and the bounds of what it may say. */
const timeout = { default: 10, least: 1, most: 30 } as const;

function defaultWebhook<W extends Webhook>(hook: W): W {
  return {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: timeout.default,
    ...hook,
    ...(hook.clientConfig === undefined ? {} : { clientConfig: defaultClientConfig(hook.clientConfig) }),
    ...(hook.rules === undefined ? {} : { rules: hook.rules.map(defaultRule) }),
  };
}

function nameFaults(name: string, path: FieldPath): readonly FieldError[] {
  if (name === '') return [required(path)];
  const bad = isDNS1123Subdomain(name);
  if (bad.length > 0) return [invalid(path, name, bad.join(','))];
  if (name.split('.').length >= 3) return [];
  return [invalid(path, name, 'should be a domain with at least three segments separated by dots')];
}

function closed(value: string | undefined, supported: readonly string[], path: FieldPath): readonly FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

function webhookFaults(hook: Webhook, path: FieldPath, withConditions: boolean): readonly FieldError[] {
  const errors = [...nameFaults(hook.name ?? '', path.child('name'))];
  (hook.rules ?? []).forEach((rule, i) => void errors.push(...ruleFaults(rule, path.child('rules').index(i))));
  errors.push(...closed(hook.failurePolicy, ['Fail', 'Ignore'], path.child('failurePolicy')));
  errors.push(...closed(hook.matchPolicy, ['Equivalent', 'Exact'], path.child('matchPolicy')));
  if (hook.sideEffects === undefined) {
    errors.push(required(path.child('sideEffects'), `must specify one of ${sideEffects.join(', ')}`));
  }
  errors.push(...closed(hook.sideEffects, sideEffects, path.child('sideEffects')));
  const seconds = hook.timeoutSeconds;
  if (seconds !== undefined && (seconds > timeout.most || seconds < timeout.least)) {
    errors.push(invalid(path.child('timeoutSeconds'), seconds, 'the timeout value must be between 1 and 30 seconds'));
  }
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    const selector = hook[name];
    if (selector !== undefined) errors.push(...validateLabelSelector(selector, path.child(name)));
  }
  if ('reinvocationPolicy' in hook) {
    errors.push(...closed(hook.reinvocationPolicy, ['IfNeeded', 'Never'], path.child('reinvocationPolicy')));
  }
  errors.push(...clientConfigFaults(hook.clientConfig, path.child('clientConfig')));
  if (withConditions) errors.push(...matchConditionFaults(hook.matchConditions ?? [], path.child('matchConditions'), false));
  return errors;
}

function configurationFaults(object: Configuration, withConditions: boolean): readonly FieldError[] {
  const hooks: readonly Webhook[] = object.webhooks ?? [];
  return hooks.flatMap((hook, i) => {
    const path = new FieldPath('webhooks').index(i);
    const missing = `must specify one of ${reviewVersions.join(', ')}`;
    const at = path.child('admissionReviewVersions');
    const errors = [
      ...webhookFaults(hook, path, withConditions),
      ...reviewVersionFaults(hook.admissionReviewVersions ?? [], reviewVersions, at, missing, isDNS1035Label),
    ];
    if (hook.name && hooks.findIndex((h) => h.name === hook.name) < i) errors.push(duplicate(path.child('name'), hook.name));
    return errors;
  });
}

const validate = (object: Configuration): readonly FieldError[] => configurationFaults(object, true);

const conditionsOf = ({ webhooks }: Configuration) => (webhooks ?? []).map(({ matchConditions = [] }) => matchConditions);

/** Match conditions that stay as they are need not compile any more. */
const validateUpdate = (object: Configuration, old: Configuration): readonly FieldError[] =>
  configurationFaults(object, !deepEqual(conditionsOf(object), conditionsOf(old)));

const common = {
  namespaced: false,
  categories: ['api-extensions'],
  validate,
  validateUpdate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column('Webhooks', 'integer', 'Webhooks indicates the number of webhooks registered in this configuration'),
  ),
  row: (object: Configuration, now: number) => [
    object.metadata?.name ?? '',
    object.webhooks?.length ?? 0,
    age(object.metadata?.creationTimestamp, now),
  ],
  strategy: {
    prepareForCreate: <T extends Configuration>(object: T): T => withGeneration(object, 1),
    prepareForUpdate: <T extends Configuration>(object: T, old: T): T => {
      const before = old.metadata?.generation ?? 0;
      return withGeneration(object, deepEqual(object.webhooks ?? [], old.webhooks ?? []) ? before : before + 1);
    },
  },
} as const;

export const validatingWebhookConfiguration = define<ValidatingWebhookConfiguration>({
  ...common,
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  defaults: (object) =>
    object.webhooks === undefined ? object : { ...object, webhooks: object.webhooks.map((hook) => defaultWebhook(hook)) },
});

export const mutatingWebhookConfiguration = define<MutatingWebhookConfiguration>({
  ...common,
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  defaults: (object) => {
    if (object.webhooks === undefined) return object;
    return { ...object, webhooks: object.webhooks.map((hook) => defaultWebhook({ reinvocationPolicy: 'Never', ...hook })) };
  },
});
