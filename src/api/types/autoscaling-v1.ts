// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { ConditionStatus, ResourceName } from './core-v1.ts';
import type { LabelSelector, ListMeta, ObjectMeta } from './meta-v1.ts';

export interface ContainerResourceMetricSource {
  readonly container: string;
  readonly name: ResourceName;
  readonly targetAverageUtilization?: number;
  readonly targetAverageValue?: string;
}

export interface ContainerResourceMetricStatus {
  readonly container: string;
  readonly currentAverageUtilization?: number;
  readonly currentAverageValue: string;
  readonly name: ResourceName;
}

export interface CrossVersionObjectReference {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
}

export interface ExternalMetricSource {
  readonly metricName: string;
  readonly metricSelector?: LabelSelector;
  readonly targetAverageValue?: string;
  readonly targetValue?: string;
}

export interface ExternalMetricStatus {
  readonly currentAverageValue?: string;
  readonly currentValue: string;
  readonly metricName: string;
  readonly metricSelector?: LabelSelector;
}

export interface HorizontalPodAutoscaler {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec?: HorizontalPodAutoscalerSpec;
  readonly status?: HorizontalPodAutoscalerStatus;
}

export interface HorizontalPodAutoscalerCondition {
  readonly lastTransitionTime?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly status: ConditionStatus;
  readonly type: HorizontalPodAutoscalerConditionType;
}

export type HorizontalPodAutoscalerConditionType = string;

export interface HorizontalPodAutoscalerList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly HorizontalPodAutoscaler[];
  readonly metadata?: ListMeta;
}

export interface HorizontalPodAutoscalerSpec {
  readonly maxReplicas: number;
  readonly minReplicas?: number;
  readonly scaleTargetRef: CrossVersionObjectReference;
  readonly targetCPUUtilizationPercentage?: number;
}

export interface HorizontalPodAutoscalerStatus {
  readonly currentCPUUtilizationPercentage?: number;
  readonly currentReplicas: number;
  readonly desiredReplicas: number;
  readonly lastScaleTime?: string;
  readonly observedGeneration?: number;
}

export type MetricSourceType = "Object" | "Pods" | "Resource" | "ContainerResource" | "External";

export interface MetricSpec {
  readonly containerResource?: ContainerResourceMetricSource;
  readonly external?: ExternalMetricSource;
  readonly object?: ObjectMetricSource;
  readonly pods?: PodsMetricSource;
  readonly resource?: ResourceMetricSource;
  readonly type: MetricSourceType;
}

export interface MetricStatus {
  readonly containerResource?: ContainerResourceMetricStatus;
  readonly external?: ExternalMetricStatus;
  readonly object?: ObjectMetricStatus;
  readonly pods?: PodsMetricStatus;
  readonly resource?: ResourceMetricStatus;
  readonly type: MetricSourceType;
}

export interface ObjectMetricSource {
  readonly averageValue?: string;
  readonly metricName: string;
  readonly selector?: LabelSelector;
  readonly target: CrossVersionObjectReference;
  readonly targetValue: string;
}

export interface ObjectMetricStatus {
  readonly averageValue?: string;
  readonly currentValue: string;
  readonly metricName: string;
  readonly selector?: LabelSelector;
  readonly target: CrossVersionObjectReference;
}

export interface PodsMetricSource {
  readonly metricName: string;
  readonly selector?: LabelSelector;
  readonly targetAverageValue: string;
}

export interface PodsMetricStatus {
  readonly currentAverageValue: string;
  readonly metricName: string;
  readonly selector?: LabelSelector;
}

export interface ResourceMetricSource {
  readonly name: ResourceName;
  readonly targetAverageUtilization?: number;
  readonly targetAverageValue?: string;
}

export interface ResourceMetricStatus {
  readonly currentAverageUtilization?: number;
  readonly currentAverageValue: string;
  readonly name: ResourceName;
}

export interface Scale {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec?: ScaleSpec;
  readonly status?: ScaleStatus;
}

export interface ScaleSpec {
  readonly replicas?: number;
}

export interface ScaleStatus {
  readonly replicas: number;
  readonly selector?: string;
}
