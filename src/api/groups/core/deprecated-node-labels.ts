import { isValidLabelValue } from '../../meta/names.ts';
import type { NodeSelectorTerm } from '../../types/core-v1.ts';
import type { LabelSelector } from '../../types/meta-v1.ts';

/** Labels of nodes that have another name by now (pkg/api/node/util.go). */
const deprecated: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};

/** What to say of a label that somebody goes by; undefined for those that are well. */
export const deprecatedNodeLabel = (key: string): string | undefined =>
  Object.hasOwn(deprecated, key) ? deprecated[key] : undefined;

/** Of a term of node affinity. Values that no label can have are told of where they are not refused. */
export function nodeSelectorTermWarnings(term: NodeSelectorTerm | undefined, at: string, valuesToo: boolean): readonly string[] {
  return (term?.matchExpressions ?? []).flatMap(({ key, values = [] }, i) => {
    const here = `${at}.matchExpressions[${i}]`;
    const message = deprecatedNodeLabel(key);
    const faults = valuesToo
      ? values.flatMap((value, j) =>
          isValidLabelValue(value).map((fault) => `${here}.values[${j}]: ${value} is invalid, ${fault}`),
        )
      : [];
    return message === undefined ? faults : [`${here}.key: ${key} is ${message}`, ...faults];
  });
}

/** Of a selector of nodes by their labels. */
export function nodeSelectorWarnings(selector: LabelSelector | undefined, at: string): readonly string[] {
  const { matchExpressions = [], matchLabels = {} } = selector ?? {};
  return [
    ...matchExpressions.flatMap(({ key }, i) => {
      const message = deprecatedNodeLabel(key);
      return message === undefined ? [] : [`${at}.matchExpressions[${i}].key: ${key} is ${message}`];
    }),
    ...Object.keys(matchLabels).flatMap((key) => {
      const message = deprecatedNodeLabel(key);
      return message === undefined ? [] : [`${at}.matchLabels.${key}: ${message}`];
    }),
  ];
}
