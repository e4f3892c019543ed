import type { ContainerStats } from '../../runtime/contract.ts';
import { keys } from '../containers/labels.ts';
import type { StatsSnapshot } from './summary.ts';

const label = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
const seconds = (nanos: bigint): string => (Number(nanos) / 1e9).toString();

/** The text of /metrics/resource. */
export function resourceMetrics(snapshot: StatsSnapshot): string {
  const { facts, use, node, now } = snapshot;
  const out: string[] = [];
  const family = (name: string, type: string, help: string, lines: readonly string[]): void => {
    if (lines.length > 0) out.push(`# HELP ${name} [STABLE] ${help}`, `# TYPE ${name} ${type}`, ...lines);
  };
  const byUid = new Map(snapshot.pods.map((p) => [p.uid, p]));
  const rows = snapshot.containers.flatMap((c) => {
    const pod = byUid.get(c.labels[keys.podUid] ?? '');
    if (pod === undefined) return [];
    const at = c.timestamp / 1_000_000n;
    return [{ c, pod, at, labels: `container="${label(c.name)}",namespace="${label(pod.namespace)}",pod="${label(pod.name)}"` }];
  });
  family(
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the container in core-seconds',
    rows.map((r) => `container_cpu_usage_seconds_total{${r.labels}} ${seconds(r.c.cpuUsageCoreNanoSeconds ?? 0n)} ${r.at}`),
  );
  family(
    'container_memory_working_set_bytes',
    'gauge',
    'Current working set of the container in bytes',
    rows.map((r) => `container_memory_working_set_bytes{${r.labels}} ${r.c.memoryWorkingSetBytes ?? 0} ${r.at}`),
  );
  family(
    'container_start_time_seconds',
    'gauge',
    'Start time of the container since unix epoch in seconds',
    rows.map(
      (r) =>
        `container_start_time_seconds{${r.labels}} ${(r.pod.containers.find((o) => o.id === r.c.id)?.startedAt ?? 0) / 1000}`,
    ),
  );
  if (node !== undefined) {
    family('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', [
      `node_cpu_usage_seconds_total ${seconds(node.cpuUsageCoreNanoSeconds)} ${Math.trunc(now)}`,
    ]);
  }
  family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
    `node_memory_working_set_bytes ${node?.memoryWorkingSetBytes ?? Math.max(0, facts.memory - use.memoryAvailable)} ${Math.trunc(now)}`,
  ]);
  const pods = new Map<string, { cpu: bigint; memory: number; at: bigint; labels: string }>();
  for (const r of rows) {
    const sum = pods.get(r.pod.uid) ?? {
      cpu: 0n,
      memory: 0,
      at: r.at,
      labels: `namespace="${label(r.pod.namespace)}",pod="${label(r.pod.name)}"`,
    };
    sum.cpu += r.c.cpuUsageCoreNanoSeconds ?? 0n;
    sum.memory += r.c.memoryWorkingSetBytes ?? 0;
    pods.set(r.pod.uid, sum);
  }
  family(
    'pod_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the pod in core-seconds',
    [...pods.values()].map((p) => `pod_cpu_usage_seconds_total{${p.labels}} ${seconds(p.cpu)} ${p.at}`),
  );
  family(
    'pod_memory_working_set_bytes',
    'gauge',
    'Current working set of the pod in bytes',
    [...pods.values()].map((p) => `pod_memory_working_set_bytes{${p.labels}} ${p.memory} ${p.at}`),
  );
  family('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', [
    'resource_scrape_error 0',
  ]);
  return `${out.join('\n')}\n`;
}

/** The text of /metrics/cadvisor: the few families dashboards build on. */
export function cadvisorMetrics(snapshot: StatsSnapshot): string {
  const out: string[] = [];
  const byUid = new Map(snapshot.pods.map((p) => [p.uid, p]));
  const families: readonly [string, string, string, (c: ContainerStats) => string][] = [
    [
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed in seconds.',
      (c) => seconds(c.cpuUsageCoreNanoSeconds ?? 0n),
    ],
    ['container_memory_working_set_bytes', 'gauge', 'Current working set in bytes.', (c) => String(c.memoryWorkingSetBytes ?? 0)],
    [
      'container_memory_usage_bytes',
      'gauge',
      'Current memory usage in bytes, including all memory regardless of when it was accessed',
      (c) => String(c.memoryUsageBytes ?? 0),
    ],
    ['container_memory_rss', 'gauge', 'Size of RSS in bytes.', (c) => String(c.memoryRssBytes ?? 0)],
    [
      'container_fs_usage_bytes',
      'gauge',
      'Number of bytes that are consumed by the container on this filesystem.',
      (c) => String(c.writableLayerUsedBytes ?? 0),
    ],
  ];
  for (const [name, type, help, read] of families) {
    out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const c of snapshot.containers) {
      const pod = byUid.get(c.labels[keys.podUid] ?? '');
      if (pod === undefined) continue;
      const image = pod.containers.find((o) => o.id === c.id)?.image ?? '';
      out.push(
        `${name}{container="${label(c.name)}",id="/${c.id}",image="${label(image)}",name="${c.id}",namespace="${label(pod.namespace)}",pod="${label(pod.name)}"} ${read(c)} ${c.timestamp / 1_000_000n}`,
      );
    }
  }
  out.push(
    '# HELP machine_cpu_cores Number of logical CPU cores.',
    '# TYPE machine_cpu_cores gauge',
    `machine_cpu_cores ${snapshot.facts.cpus}`,
  );
  out.push(
    '# HELP machine_memory_bytes Amount of memory installed on the machine.',
    '# TYPE machine_memory_bytes gauge',
    `machine_memory_bytes ${snapshot.facts.memory}`,
  );
  return `${out.join('\n')}\n`;
}
