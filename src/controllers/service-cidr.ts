import { isIPv6, parseCIDR } from '../api/groups/ip.ts';
import { isHandedOut } from '../api/groups/networking/service-addresses.ts';
import { isNotFound } from '../api/meta/status.ts';
import { formatTime, parseTime } from '../api/meta/time.ts';
import { patchTypes } from '../api/request.ts';
import type { IPAddress, ServiceCIDR } from '../api/types/networking-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { ipAddresses, serviceCidrs } from '../client/resource-refs.ts';
import type { ReconcileResult } from '../client/work-queue.ts';
import { findCondition } from './conditions.ts';

const NAME = 'service-cidr-controller';
const WORKERS = 5;
const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';
/** Who gives out addresses may not have heard yet that a range is going. */
const DELETION_GRACE_MS = 10_000;

const READY = { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' } as const;
const IN_USE = {
  status: 'False',
  reason: 'Terminating',
  message: 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
} as const;

interface Range {
  readonly v6: boolean;
  readonly first: bigint;
  readonly last: bigint;
}

/** An address as a number. */
function numberOf(ip: string): bigint {
  if (!isIPv6(ip)) return ip.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = '', tail] = ip.split('::');
  const words = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return all.reduce((sum, word) => sum * 65_536n + BigInt(`0x${word}`), 0n);
}

function rangeOf(cidr: string): Range | undefined {
  const parsed = parseCIDR(cidr);
  if (parsed === undefined) return undefined;
  const size = 1n << BigInt((parsed.v6 ? 128 : 32) - parsed.length);
  const first = (numberOf(parsed.ip) / size) * size;
  return { v6: parsed.v6, first, last: first + size - 1n };
}

const rangesOf = (cidr: ServiceCIDR): readonly Range[] => (cidr.spec?.cidrs ?? []).flatMap((text) => rangeOf(text) ?? []);

const contains = (outer: Range, { v6, first, last }: Range): boolean =>
  outer.v6 === v6 && outer.first <= first && last <= outer.last;

/** Whether a range may go: others cover it, or no address that was given out lies in it alone. Pure. */
export function mayDelete(cidr: ServiceCIDR, all: readonly ServiceCIDR[], addresses: readonly IPAddress[]): boolean {
  const others = all.filter(({ metadata }) => metadata?.name !== cidr.metadata?.name).flatMap(rangesOf);
  const own = rangesOf(cidr);
  if (own.every((range) => others.some((other) => contains(other, range)))) return true;
  return !addresses.some((address) => {
    if (!isHandedOut(address)) return false;
    const name = address.metadata!.name!;
    const first = numberOf(name);
    const point = { v6: isIPv6(name), first, last: first };
    return own.some((range) => contains(range, point)) && !others.some((other) => contains(other, point));
  });
}

/** Says that ranges for Service addresses are ready, and keeps those that are being deleted as long as addresses are taken from them. */
export function serviceCidrController(): Controller {
  return {
    name: NAME,
    start(context, signal) {
      const cidrs = context.informers.informer(serviceCidrs);
      const addresses = context.informers.informer(ipAddresses);
      const client = context.client.resource(serviceCidrs);
      const recorder = context.recorder(NAME);
      const finalizers = async (name: string, change: object): Promise<void> => {
        try {
          await client.patch(name, '', patchTypes.strategic, { metadata: change }, { signal });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      };
      const tell = async (cidr: ServiceCIDR, state: typeof READY | typeof IN_USE): Promise<void> => {
        if (findCondition(cidr.status?.conditions, 'Ready')?.status === state.status) return;
        const { name = '' } = cidr.metadata ?? {};
        const lastTransitionTime = formatTime(context.clock.now());
        const { reason, ...rest } = state;
        const condition = { type: 'Ready', ...rest, ...(reason === '' ? {} : { reason }), lastTransitionTime };
        const body = {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'ServiceCIDR',
          metadata: { name },
          status: { conditions: [condition] },
        };
        try {
          const options = { subresource: 'status', fieldManager: NAME, force: true, signal };
          await client.patch(name, '', patchTypes.apply, body, options);
        } catch (err) {
          const message = 'The ServiceCIDR Status can not be set to Ready=True';
          if (state === READY && !signal.aborted) recorder.event(cidr, 'Warning', 'KubernetesServiceCIDRError', message);
          throw err;
        }
      };
      const reconcile = async (name: string): Promise<ReconcileResult | undefined> => {
        const cidr = cidrs.get(name);
        if (cidr === undefined) return undefined;
        const held = cidr.metadata?.finalizers?.includes(FINALIZER) === true;
        const going = parseTime(cidr.metadata?.deletionTimestamp);
        if (going === undefined) {
          if (!held) await finalizers(name, { finalizers: [FINALIZER] });
          await tell(cidr, READY);
          return undefined;
        }
        if (!held) return undefined;
        if (!mayDelete(cidr, cidrs.list(), addresses.list())) {
          await tell(cidr, IN_USE);
          return undefined;
        }
        const left = going + DELETION_GRACE_MS - context.clock.now();
        if (left > 0) return { requeueAfterMs: left };
        await finalizers(name, { '$deleteFromPrimitiveList/finalizers': [FINALIZER] });
        return undefined;
      };
      const queue = startReconciler(
        context,
        { name: 'ipaddresses', workers: WORKERS, informers: [cidrs, addresses] as never, reconcile },
        signal,
      );
      const add = ({ metadata }: ServiceCIDR): void => queue.add(metadata!.name!);
      /** What changes in one range or address may free another. */
      const wakeGoing = (): void => {
        for (const cidr of cidrs.list()) if (cidr.metadata?.deletionTimestamp !== undefined) add(cidr);
      };
      const changed = (cidr: ServiceCIDR): void => {
        add(cidr);
        wakeGoing();
      };
      cidrs.addHandler({ onAdd: changed, onUpdate: add, onDelete: wakeGoing });
      addresses.addHandler({ onDelete: wakeGoing });
    },
  };
}
