import { type FieldError, invalid } from '../../meta/field-error.ts';
import { IMMUTABLE } from '../../meta/object-meta-validation.ts';
import type { Job, JobSpec } from '../../types/batch-v1.ts';
import type { Affinity, Container, PodSpec, PodTemplateSpec } from '../../types/core-v1.ts';
import { withFields } from '../core/copy-on-change.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { noSpec, validateJob, validateOwnSpec } from './job-validation.ts';

const batch = 'io.k8s.api.batch.v1';

/** Everything wrong with a job as the successor of `old`. */
export function validateJobUpdate(job: Job, old: Job): readonly FieldError[] {
  const spec = job.spec ?? noSpec;
  const before = old.spec ?? noSpec;
  return [
    ...validateJob(job, old),
    // Upstream validates the spec twice, and a client is told twice.
    ...validateOwnSpec(job, old),
    ...validateCompletions(spec, before),
    ...unchanged('selector', 'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', spec, before),
    ...validateTemplate(spec, old),
    ...unchanged('completionMode', undefined, spec, before),
    ...unchanged('podFailurePolicy', `${batch}.PodFailurePolicy`, spec, before),
    ...unchanged('backoffLimitPerIndex', undefined, spec, before),
    ...unchanged('managedBy', undefined, spec, before),
    ...unchanged('successPolicy', `${batch}.SuccessPolicy`, spec, before),
  ];
}

/** A field that stays as it was; `type` is that of a struct. */
function unchanged(
  field: keyof JobSpec & string,
  type: string | undefined,
  spec: JobSpec,
  before: JobSpec,
): readonly FieldError[] {
  const [now, then] = [spec[field], before[field]];
  if (now === then) return [];
  const same = type !== undefined && now !== undefined && then !== undefined && semanticEqual(type, now, then);
  return same ? [] : [invalid(`spec.${field}`, now, IMMUTABLE)];
}

/** An Indexed job can be scaled: its completions then follow its parallelism (KEP-3715). */
function validateCompletions(spec: JobSpec, before: JobSpec): readonly FieldError[] {
  if (spec.completionMode !== 'Indexed') return unchanged('completions', undefined, spec, before);
  const { completions } = spec;
  if (completions === before.completions || completions === undefined || completions === spec.parallelism) return [];
  return [invalid('spec.completions', completions, 'can only be modified in tandem with spec.parallelism')];
}

/**
 * The template stays as it was; but while a job is suspended and none of its pods is there, a queue may still choose where they go
 * (KEP-2926) and what they may use (KEP-5440).
 */
function validateTemplate(spec: JobSpec, old: Job): readonly FieldError[] {
  const template = spec.template ?? {};
  const stored = old.spec?.template ?? {};
  const waits = old.spec?.suspend === true && (old.status?.active ?? 0) === 0;
  const expected = waits ? withDirectives(stored, template) : stored;
  return semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', template, expected)
    ? []
    : [invalid('spec.template', template, IMMUTABLE)];
}

/** The old template with those fields of the new one that may change. */
function withDirectives(old: PodTemplateSpec, now: PodTemplateSpec): PodTemplateSpec {
  const { labels, annotations } = now.metadata ?? {};
  const before: PodSpec = old.spec ?? { containers: [] };
  const after: PodSpec = now.spec ?? { containers: [] };
  return {
    metadata: withFields(old.metadata ?? {}, { labels, annotations }),
    spec: withFields(before, {
      affinity: withNodeAffinity(before.affinity, after.affinity),
      nodeSelector: after.nodeSelector,
      tolerations: after.tolerations,
      schedulingGates: after.schedulingGates,
      containers: withResources(before.containers, after.containers),
      initContainers: before.initContainers && withResources(before.initContainers, after.initContainers ?? []),
    }),
  };
}

function withNodeAffinity(old: Affinity | undefined, now: Affinity | undefined): Affinity | undefined {
  if (old === undefined) return now === undefined ? undefined : withFields<Affinity>({}, { nodeAffinity: now.nodeAffinity });
  const affinity = withFields(old, { nodeAffinity: now?.nodeAffinity });
  return now === undefined && Object.keys(affinity).length === 0 ? undefined : affinity;
}

const withResources = (old: readonly Container[], now: readonly Container[]): readonly Container[] =>
  old.map((container, i) =>
    now[i]?.name === container.name ? withFields(container, { resources: now[i].resources }) : container,
  );
