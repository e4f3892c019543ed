/** The admission plugins that kube-apiserver has switched on by default, in its order. */
import type { AdmissionPlugin, Authorizer } from '../contract.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { priority } from './priority.ts';
import { serviceAccount } from './service-account.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';

export { ensurePriorityClasses } from './priority.ts';

export interface AdmissionOptions {
  /** Asked whether the one who writes may do what the write stands for: approve, sign, grant. */
  readonly authorizer: Authorizer;
}

/** Upstream's default-on plugins (AllOrderedPlugins less DefaultOffAdmissionPlugins). */
export function defaultAdmission(_options: AdmissionOptions): readonly AdmissionPlugin[] {
  return [namespaceLifecycle(), serviceAccount(), taintNodesByCondition(), priority(), defaultTolerationSeconds()];
}
