/**
 * Finds nodes for pods: kube-scheduler with its default profile.
 *
 * - `queue.ts` says which pod is next, and what a pod that was turned away waits for (`cluster-event.ts`).
 * - `cache.ts` is what is known of the cluster, with counts that are kept up with every change (`pod-counter.ts`, `affinity-terms.ts`).
 * - `plugins/` judge nodes; `framework.ts` is their contract, `profile.ts` their list. What looks at one node only is remembered (`local-verdicts.ts`).
 * - `scheduling-algorithm.ts` decides, `preemption.ts` looks for room when there is none. Both are synchronous and change nothing outside.
 * - `scheduler.ts` is the shell: it watches (`event-handlers.ts`), binds (`binding.ts`), evicts (`eviction.ts`) and reports (`pod-status.ts`).
 */
export { type SchedulerOptions, scheduler } from './scheduler.ts';
