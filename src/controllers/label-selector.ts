import type { LabelSelector } from '../api/meta/object.ts';

type Labels = Readonly<Record<string, string>>;

const none: Labels = Object.freeze({});

/** Whether labels meet a metav1.LabelSelector. An absent selector meets nothing, an empty one everything. Unknown operators meet nothing. */
export function selectorMatches(selector: LabelSelector | undefined, labels: Labels = none): boolean {
  if (selector === undefined) return false;
  for (const key in selector.matchLabels) if (labels[key] !== selector.matchLabels[key]) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = labels[key];
    switch (operator) {
      case 'In':
        if (value === undefined || !values.includes(value)) return false;
        break;
      case 'NotIn':
        if (value !== undefined && values.includes(value)) return false;
        break;
      case 'Exists':
        if (value === undefined) return false;
        break;
      case 'DoesNotExist':
        if (value !== undefined) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

/** Whether the selector asks for nothing, and so would meet everything. */
export function selectorIsEmpty(selector: LabelSelector | undefined): boolean {
  return (
    selector === undefined ||
    (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0)
  );
}

/** Whether labels hold every pair of a plain map selector (Services, ReplicationControllers). An empty map holds of everything. */
export function mapMatches(selector: Labels | undefined, labels: Labels = none): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}
