/** Finds nodes for pods. Upstream: kube-scheduler with its default profile. */
export { type SchedulerOptions, scheduler } from './scheduler.ts';
