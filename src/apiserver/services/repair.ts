import { isHandedOut } from '../../api/groups/networking/service-addresses.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { IPAddress } from '../../api/types/networking-v1.ts';
import { PreconditionError, type Store, type StoreOp } from '../../store/contract.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { isOf } from './address-object.ts';
import { type Allocations, type AllocationViews, holdingsOf, PORTS_PREFIX } from './allocations.ts';

/** How often everything is looked at: upstream's period. */
const PERIOD_MS = 180_000;
/** An address that was deleted or changed by hand is looked at after this; what went with its Service has gone by then. */
const SETTLE_MS = 1_000;
/** An address whose Service is not there may be one whose Service has not been seen yet. */
const ORPHAN_AGE_MS = 60_000;

export interface RepairOptions {
  readonly store: Store;
  readonly views: AllocationViews;
  readonly allocations: Allocations;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Keeps what is held in step with the Services, which are the truth: makes IPAddresses and port keys that are missing (of Services from before
 * there were any, or deleted by hand), and removes those that no Service has.
 */
export class Repair {
  readonly #options: RepairOptions;
  /** Ports that nobody had at the last look, and the revision of their keys. */
  #orphanPorts: ReadonlyMap<number, number> = new Map();
  /** Addresses that were deleted or changed. */
  readonly #suspects = new Map<string, IPAddress>();

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Looks at everything once, and goes on to. Resolves after the first time. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, views } = this.#options;
    let timer: Timer;
    const later = (): void => {
      timer = clock.setTimer(PERIOD_MS, () => {
        void this.#look().then(() => {
          if (!signal.aborted) later();
        });
      });
    };
    let soon: Timer | undefined;
    views.addresses.watch(({ type, object }) => {
      if (type === 'added' || !isHandedOut(object)) return;
      this.#suspects.set(object.metadata?.name ?? '', object);
      soon ??= clock.setTimer(SETTLE_MS, () => {
        soon = undefined;
        if (this.#confirmed()) void this.#look();
      });
    }, signal);
    signal.addEventListener('abort', () => {
      timer.cancel();
      soon?.cancel();
    });
    await this.#look();
    later();
  }

  /** Whether a Service lacks one of the suspects. Forgets them. */
  #confirmed(): boolean {
    const { services } = this.#options.views;
    const suspects = [...this.#suspects];
    this.#suspects.clear();
    return suspects.some(([name, { spec }]) => {
      const service = services.get(spec?.parentRef?.namespace ?? '', spec?.parentRef?.name ?? '');
      return service !== undefined && holdingsOf(service.spec).includes(name) && this.#lacksAddress(service, name);
    });
  }

  async #look(): Promise<void> {
    const { logger, views } = this.#options;
    try {
      // The Services first: what they have was written before they were seen.
      const services = [...views.services.list()];
      const ports = await this.#listPorts();
      const held = new Set<string | number>();
      for (const service of services) {
        for (const value of holdingsOf(service.spec)) {
          if (held.has(value)) continue;
          held.add(value);
          if (typeof value === 'number' ? !ports.has(value) : this.#lacksAddress(service, value))
            await this.#take(service, value);
        }
      }
      await this.#removeOrphans(held, ports);
    } catch (err) {
      logger.warn({ err }, 'addresses and ports of Services could not be looked at; tried again later');
    }
  }

  /** Whether the address's object is missing, or is another's who does not have the address. */
  #lacksAddress(service: Service, name: string): boolean {
    const { addresses, services } = this.#options.views;
    const address = addresses.get('', name);
    if (address === undefined) return true;
    if (isOf(address, service)) return false;
    const { namespace = '', name: owner = '' } = address.spec?.parentRef ?? {};
    return !holdingsOf(services.get(namespace, owner)?.spec).includes(name);
  }

  async #take(service: Service, value: string | number): Promise<void> {
    const { allocations, views, logger } = this.#options;
    const { name, namespace } = service.metadata ?? {};
    logger.warn({ service: `${namespace}/${name}`, value }, 'what a Service has is not written down as its own; repairing');
    const stands = typeof value === 'number' ? undefined : views.addresses.get('', value);
    const expectedRevision = Number(stands?.metadata?.resourceVersion ?? 0);
    for (const op of allocations.operations(service, [value], [])) await this.#commit({ ...op, expectedRevision });
  }

  async #removeOrphans(held: ReadonlySet<string | number>, ports: ReadonlyMap<number, number>): Promise<void> {
    const { views, clock, allocations } = this.#options;
    const orphans = new Map([...ports].filter(([port]) => !held.has(port)));
    for (const [port, expectedRevision] of orphans) {
      // One that was there the last time already is not of a Service that is yet to be seen.
      if (this.#orphanPorts.get(port) !== expectedRevision) continue;
      await this.#commit({ type: 'delete', key: `${PORTS_PREFIX}${port}`, expectedRevision });
    }
    this.#orphanPorts = orphans;
    const before = clock.now() - ORPHAN_AGE_MS;
    for (const { metadata, ...address } of views.addresses.list()) {
      const name = metadata?.name ?? '';
      if (!isHandedOut({ metadata, ...address }) || held.has(name)) continue;
      if (Date.parse(metadata?.creationTimestamp ?? '') > before) continue;
      const expectedRevision = Number(metadata?.resourceVersion);
      for (const op of allocations.operations({}, [], [name])) await this.#commit({ ...op, expectedRevision });
    }
  }

  async #commit(op: StoreOp): Promise<void> {
    try {
      await this.#options.store.commit([op]);
    } catch (err) {
      // It has been changed since: the next look sees what came of it.
      if (!(err instanceof PreconditionError)) throw err;
    }
  }

  /** The ports that are taken, and the revisions of their keys. */
  async #listPorts(): Promise<ReadonlyMap<number, number>> {
    const { entries } = await this.#options.store.list(PORTS_PREFIX);
    return new Map(entries.map((entry) => [Number(entry.key.slice(PORTS_PREFIX.length)), entry.modRevision]));
  }
}
