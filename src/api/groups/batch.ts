import type { Resource } from '../resource.ts';
import { cronJob } from './batch/cron-job.ts';
import { job } from './batch/job.ts';

export const batchResources: readonly Resource[] = [cronJob, job];
