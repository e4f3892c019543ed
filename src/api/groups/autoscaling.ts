import type { Resource } from '../resource.ts';
import { horizontalPodAutoscaler } from './autoscaling/autoscaler.ts';
import { horizontalPodAutoscalerV1 } from './autoscaling/autoscaler-v1.ts';

export const autoscalingResources: readonly Resource[] = [horizontalPodAutoscaler, horizontalPodAutoscalerV1];
