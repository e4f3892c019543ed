import { describe, expect, it } from 'vitest';
import {
  cells,
  created,
  createFaults,
  type Draft,
  resourceOf,
  subresourceFaults,
  updated,
  updateFaults,
} from '../resource.fixture.ts';

const jobs = resourceOf('batch/v1/jobs');
const pods = { metadata: { labels: { app: 'x' } }, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
const jobOf = (spec: Draft = {}): Draft => ({
  metadata: { name: 'pi', namespace: 'default', uid: 'u-1' },
  spec: { template: pods, ...spec },
});
const indexed = (spec: Draft = {}): Draft => jobOf({ completionMode: 'Indexed', completions: 3, parallelism: 3, ...spec });

describe('a new job', () => {
  it('is completed with defaults and its selector', () => {
    const job = created(jobs, jobOf());
    expect(job.metadata).toMatchObject({ generation: 1, labels: { app: 'x' } });
    const { template, ...spec } = job.spec;
    expect(spec).toEqual({
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      completions: 1,
      parallelism: 1,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
      suspend: false,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } },
    });
    expect(template.metadata.labels).toEqual({
      app: 'x',
      'batch.kubernetes.io/controller-uid': 'u-1',
      'batch.kubernetes.io/job-name': 'pi',
      'controller-uid': 'u-1',
      'job-name': 'pi',
    });
    expect(template.spec.terminationGracePeriodSeconds).toBe(30);
    expect(job.status).toEqual({});
  });

  it('has no default completions when it has parallelism', () => {
    expect(created(jobs, jobOf({ parallelism: 4 })).spec.completions).toBeUndefined();
    expect(created(jobs, jobOf({ completions: 4 })).spec.parallelism).toBe(1);
  });

  it('has no limit of its own beside one per index', () => {
    expect(created(jobs, indexed({ backoffLimitPerIndex: 1 })).spec.backoffLimit).toBe(2147483647);
  });

  it('replaces only failed pods when it has a failure policy, whose conditions mean True', () => {
    const rules = [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }];
    const { spec } = created(jobs, jobOf({ podFailurePolicy: { rules } }));
    expect(spec.podReplacementPolicy).toBe('Failed');
    expect(spec.podFailurePolicy.rules[0].onPodConditions).toEqual([{ type: 'DisruptionTarget', status: 'True' }]);
  });

  it('keeps a selector of its own', () => {
    const selector = { matchLabels: { app: 'x' } };
    const job = created(jobs, jobOf({ manualSelector: true, selector }));
    expect(job.spec.selector).toEqual(selector);
    expect(job.spec.template.metadata.labels).toEqual({ app: 'x' });
    expect(createFaults(jobs, jobOf({ manualSelector: true, selector }))).toEqual([]);
  });
});

const rule = (r: Draft): Draft => jobOf({ podFailurePolicy: { rules: [r] } });
const onExitCodes = (r: Draft): Draft => rule({ action: 'FailJob', onExitCodes: { operator: 'In', values: [1], ...r } });

describe('validation of a job', () => {
  it.each<[string, Draft, readonly string[]]>([
    ['is content', jobOf(), []],
    [
      'is content with all of it',
      indexed({ successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] }, managedBy: 'a.io/b' }),
      [],
    ],
    [
      'wants pods that end',
      jobOf({ template: { spec: { containers: [{ name: 'c', image: 'i' }] } } }),
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'wants no negative numbers',
      jobOf({ parallelism: -1, completions: -2, backoffLimit: -3 }),
      [
        'spec.parallelism: Invalid value: -1: must be greater than or equal to 0',
        'spec.completions: Invalid value: -2: must be greater than or equal to 0',
        'spec.backoffLimit: Invalid value: -3: must be greater than or equal to 0',
      ],
    ],
    [
      'wants its own labels',
      jobOf({ template: { ...pods, metadata: { labels: { 'controller-uid': 'other' } } } }),
      [
        'spec.template.metadata.labels[controller-uid]: Invalid value: {"batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"pi","controller-uid":"other","job-name":"pi"}: must be \'u-1\'',
      ],
    ],
    [
      'wants a selector that is its own',
      jobOf({ selector: { matchLabels: { a: 'b' } } }),
      [
        'spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1","a":"b"}}: `selector` not auto-generated',
        'spec.template.metadata.labels: Invalid value: {"app":"x","batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"pi","controller-uid":"u-1","job-name":"pi"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'wants a manual selector to be there',
      jobOf({ manualSelector: true }),
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'knows two modes',
      jobOf({ completionMode: 'Other' }),
      ['spec.completionMode: Unsupported value: "Other": supported values: "NonIndexed", "Indexed"'],
    ],
    [
      'wants completions of an indexed job',
      jobOf({ completionMode: 'Indexed', parallelism: 100_001 }),
      [
        'spec.completions: Required value: when completion mode is Indexed',
        'spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed',
      ],
    ],
    [
      'wants indexes for limits per index',
      jobOf({ backoffLimitPerIndex: 1, maxFailedIndexes: 1 }),
      [
        'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
        'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
      ],
    ],
    [
      'limits jobs of many completions',
      indexed({ completions: 100_001, parallelism: 10_001, backoffLimitPerIndex: 1 }),
      [
        'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
        'spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index',
      ],
    ],
    [
      'wants a limit per index beside that of failed indexes',
      indexed({ maxFailedIndexes: 4 }),
      [
        'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
        'spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions',
      ],
    ],
    [
      'wants names its pods can have as hosts',
      { ...indexed(), metadata: { name: 'a'.repeat(62), namespace: 'default', uid: 'u' } },
      [
        `metadata.name: Invalid value: "${'a'.repeat(62)}": will not able to create pod with invalid DNS label: ${'a'.repeat(62)}-2`,
      ],
    ],
    [
      'wants a manager with a domain',
      jobOf({ managedBy: 'me' }),
      ['spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'wants a short name of a manager',
      jobOf({ managedBy: `a.io/${'b'.repeat(60)}` }),
      ['spec.managedBy: Too long: may not be more than 63 bytes'],
    ],
    [
      'wants an action and a reason',
      rule({}),
      [
        'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
        'spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
      ],
    ],
    [
      'wants indexes to fail one',
      rule({ action: 'FailIndex', onPodConditions: [{ type: 'A b', status: 'Maybe' }] }),
      [
        'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        "spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: \"A b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
      ],
    ],
    [
      'wants exit codes in order, once, not zero',
      onExitCodes({ containerName: 'other', values: [3, 3, 2, 0] }),
      [
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "other": must be one of the container or initContainer names in the pod template',
        'spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 3',
        'spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Invalid value: 0: must not be 0 for the In operator',
        'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,3,2,0]: must be ordered',
      ],
    ],
    [
      'wants some exit codes',
      onExitCodes({ operator: 'Is', values: [] }),
      [
        'spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"',
        'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: []: at least one value is required',
      ],
    ],
    [
      'wants pods that are not restarted under a failure policy',
      jobOf({
        template: { ...pods, spec: { ...pods.spec, restartPolicy: 'OnFailure' } },
        podFailurePolicy: { rules: [] },
        podReplacementPolicy: 'TerminatingOrFailed',
      }),
      [
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
    ],
    [
      'wants indexes for a success policy',
      jobOf({ successPolicy: { rules: [] } }),
      ['spec.successPolicy: Invalid value: {"rules":[]}: requires indexed completion mode'],
    ],
    [
      'wants rules of success that can be met',
      indexed({
        successPolicy: {
          rules: [{}, { succeededIndexes: '0-1', succeededCount: 4 }, { succeededIndexes: '1,0' }, { succeededIndexes: '7' }],
        },
      }),
      [
        'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
        'spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)',
        'spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)',
        'spec.successPolicy.rules[2].succeededIndexes: Invalid value: "1,0": error parsing succeededIndexes: non-increasing order, previous: 1, current: 0',
        'spec.successPolicy.rules[3].succeededIndexes: Invalid value: "7": error parsing succeededIndexes: too large index: "7"',
      ],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(jobs, draft)).toEqual(faults);
  });
});

describe('an update of a job', () => {
  const old = created(jobs, jobOf());
  const first = (faults: readonly string[]): readonly string[] =>
    faults.map((f) => f.replace(/Invalid value: .*: /s, 'Invalid value: …: '));

  it('may change what is not settled', () => {
    const change = (j: Draft): void => {
      Object.assign(j.spec, {
        parallelism: 5,
        suspend: true,
        backoffLimit: 1,
        activeDeadlineSeconds: 10,
        ttlSecondsAfterFinished: 1,
      });
    };
    expect(updateFaults(jobs, old, change)).toEqual([]);
    expect(updated(jobs, old, change).metadata.generation).toBe(2);
    expect(updated(jobs, old, () => {}).metadata.generation).toBe(1);
  });

  it.each<[string, (j: Draft) => void, readonly string[]]>([
    ['completions', (j) => void (j.spec.completions = 2), ['spec.completions: Invalid value: …: field is immutable']],
    ['the mode', (j) => void (j.spec.completionMode = 'Indexed'), ['spec.completionMode: Invalid value: …: field is immutable']],
    ['the manager', (j) => void (j.spec.managedBy = 'a.io/b'), ['spec.managedBy: Invalid value: …: field is immutable']],
    [
      'the template',
      (j) => void (j.spec.template.spec.containers[0].image = 'other'),
      ['spec.template: Invalid value: …: field is immutable'],
    ],
    [
      'the failure policy',
      (j) => void (j.spec.podFailurePolicy = { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }] }),
      [
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        'spec.podFailurePolicy: Invalid value: …: field is immutable',
      ],
    ],
  ])('may not change %s', (_what, change, faults) => {
    expect(first(updateFaults(jobs, old, change))).toEqual(faults);
  });

  it('scales an indexed job', () => {
    const before = created(jobs, indexed());
    expect(updateFaults(jobs, before, (j) => void Object.assign(j.spec, { completions: 5, parallelism: 5 }))).toEqual([]);
    expect(updateFaults(jobs, before, (j) => void (j.spec.completions = 5))).toEqual([
      'spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism',
    ]);
  });

  it('gives a suspended job other places and resources', () => {
    const waiting = created(jobs, jobOf({ suspend: true }));
    const change = (j: Draft): void => {
      const { spec, metadata } = j.spec.template;
      Object.assign(spec, {
        nodeSelector: { a: 'b' },
        tolerations: [{ key: 'a', operator: 'Exists' }],
        schedulingGates: [{ name: 'a.io/b' }],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
            },
          },
        },
      });
      spec.containers[0].resources = { requests: { cpu: '2' } };
      metadata.labels.more = 'yes';
      metadata.annotations = { a: 'b' };
    };
    expect(updateFaults(jobs, waiting, change)).toEqual([]);
    expect(first(updateFaults(jobs, old, change))).toEqual(['spec.template: Invalid value: …: field is immutable']);
    const running = { ...waiting, status: { active: 1 } };
    expect(first(updateFaults(jobs, running, change))).toEqual(['spec.template: Invalid value: …: field is immutable']);
  });
});

describe('a status of a job', () => {
  const condition = (type: string, status = 'True'): Draft => ({ type, status });
  const started = { startTime: '2026-01-01T00:00:00Z' };
  const old = { ...created(jobs, jobOf()), status: started };
  const oldIndexed = { ...created(jobs, indexed()), status: started };

  it.each<[string, Draft, Draft, readonly string[]]>([
    [
      'counts',
      old,
      { active: -1, ready: 2 },
      [
        'status.active: Invalid value: -1: must be greater than or equal to 0',
        'status.ready: Invalid value: 2: cannot set more ready pods than active',
      ],
    ],
    [
      'counts a pod once',
      old,
      { uncountedTerminatedPods: { succeeded: ['a', ''], failed: ['a'] } },
      [
        'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
        'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
      ],
    ],
    [
      'ends in order',
      old,
      { conditions: [condition('Complete')], active: 1 },
      [
        'status.completionTime: Required value: completionTime is required for Complete jobs',
        'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
        'status.active: Invalid value: 1: active>0 is invalid for finished job',
      ],
    ],
    [
      'ends once it began',
      old,
      {
        conditions: [condition('Complete'), condition('SuccessCriteriaMet')],
        completionTime: '2025-01-01T00:00:00Z',
        succeeded: 1,
      },
      ['status.completionTime: Invalid value: "2025-01-01T00:00:00Z": completionTime cannot be set before startTime'],
    ],
    [
      'fails with a reason before',
      old,
      { conditions: [condition('Failed')] },
      ['status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition'],
    ],
    [
      'stays failed',
      { ...old, status: { ...started, failed: 2, conditions: [condition('FailureTarget'), condition('Failed')] } },
      { conditions: [condition('FailureTarget')], failed: 1 },
      [
        'status.conditions: Invalid value: cannot disable the terminal Failed=True condition',
        'status.failed: Invalid value: 1: cannot decrease the failed counter',
      ],
    ],
    [
      'has indexes where there are some',
      old,
      { completedIndexes: '0', failedIndexes: '' },
      [
        'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
        'status.failedIndexes: Invalid value: "": cannot set non-null failedIndexes when backoffLimitPerIndex is null',
      ],
    ],
    [
      'reads indexes',
      oldIndexed,
      { completedIndexes: '0-1-2' },
      [
        'status.completedIndexes: Invalid value: "0-1-2": error parsing completedIndexes: the fragment "0-1-2" violates the requirement that an index interval can have at most two parts separated by \'-\'',
      ],
    ],
    [
      'keeps failed and completed apart',
      { ...created(jobs, indexed({ backoffLimitPerIndex: 1 })), status: started },
      { completedIndexes: '0,2', failedIndexes: '1-2' },
      ['status.failedIndexes: Invalid value: "1-2": failedIndexes and completedIndexes overlap at index: 2'],
    ],
    [
      'keeps its start',
      old,
      { startTime: undefined },
      ['status.startTime: Required value: startTime cannot be removed for unsuspended job'],
    ],
  ])('%s', (_what, before, status, faults) => {
    expect(subresourceFaults(jobs, 'status', before, (j) => void (j.status = { ...started, ...status }))).toEqual(faults);
  });

  it('does not hold what was there against an update', () => {
    const bad = { ...old, status: { completedIndexes: 'x', conditions: [condition('Complete')] } };
    expect(subresourceFaults(jobs, 'status', bad, (j) => void (j.status.succeeded = 1))).toEqual([]);
  });
});

describe('a row of a job', () => {
  const template = {
    spec: {
      containers: [
        { name: 'a', image: 'x' },
        { name: 'b', image: 'y' },
      ],
    },
  };
  it.each<[Draft, Draft]>([
    [
      {
        metadata: { name: 'pi', creationTimestamp: '2025-12-31T23:59:00Z' },
        spec: { completions: 3, template },
        status: { succeeded: 1, startTime: '2025-12-31T23:59:30Z' },
      },
      {
        Name: 'pi',
        Status: 'Running',
        Completions: '1/3',
        Duration: '30s',
        Age: '60s',
        Containers: 'a,b',
        Images: 'x,y',
        Selector: '<none>',
      },
    ],
    [
      {
        spec: { parallelism: 2, template, selector: { matchLabels: { a: 'b' } } },
        status: {
          startTime: '2025-12-31T23:00:00Z',
          completionTime: '2025-12-31T23:05:00Z',
          conditions: [{ type: 'Complete', status: 'True' }],
        },
      },
      {
        Name: '',
        Status: 'Complete',
        Completions: '0/1 of 2',
        Duration: '5m',
        Age: '<unknown>',
        Containers: 'a,b',
        Images: 'x,y',
        Selector: 'a=b',
      },
    ],
    [
      { spec: { parallelism: 1 } },
      {
        Name: '',
        Status: 'Running',
        Completions: '0/1',
        Duration: '',
        Age: '<unknown>',
        Containers: '',
        Images: '',
        Selector: '<none>',
      },
    ],
  ])('%#', (object, row) => {
    expect(cells(jobs, object)).toEqual(row);
  });

  it.each<[string, Draft]>([
    ['Failed', { status: { conditions: [{ type: 'Failed', status: 'True' }] } }],
    ['Terminating', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    ['Suspended', { status: { conditions: [{ type: 'Suspended', status: 'True' }] } }],
    ['FailureTarget', { status: { conditions: [{ type: 'FailureTarget', status: 'True' }] } }],
    ['SuccessCriteriaMet', { status: { conditions: [{ type: 'SuccessCriteriaMet', status: 'True' }] } }],
  ])('says %s', (status, object) => {
    expect(cells(jobs, object).Status).toBe(status);
  });
});
