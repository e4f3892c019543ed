import { compileNodeSelector, type NodeTest } from '../api/groups/core/node-selector.ts';
import { quantityValue } from '../api/meta/quantity.ts';
import type { NodeSelector } from '../api/types/core-v1.ts';
import type { Device, ResourceSlice } from '../api/types/resource-v1.ts';
import type { NodeInfo } from './node-info.ts';

/** A device where it was published. */
export interface PooledDevice {
  /** `driver/pool/device`. */
  readonly id: string;
  readonly driver: string;
  readonly pool: DevicePool;
  readonly device: Device;
  /** Which nodes can use it; undefined: all. */
  readonly selector: NodeSelector | undefined;
  readonly reaches: NodeTest | undefined;
}

/** The devices of one pool, of its newest generation. */
export interface DevicePool {
  readonly driver: string;
  readonly name: string;
  readonly devices: readonly PooledDevice[];
  /** What devices of the pool have in common, `set/counter`, and how much of it there is. */
  readonly counters: ReadonlyMap<string, number>;
}

export const deviceId = (driver: string, pool: string, device: string): string => `${driver}/${pool}/${device}`;

/** All pools that are published completely, filed by the nodes that can use them. */
export class DevicePools {
  readonly #ofNode = new Map<string, DevicePool[]>();
  readonly #shared: DevicePool[] = [];

  constructor(slices: readonly ResourceSlice[]) {
    const pools = new Map<string, ResourceSlice[]>();
    for (const slice of slices) {
      const key = `${slice.spec.driver}/${slice.spec.pool.name}`;
      const known = pools.get(key);
      const newer = known === undefined || slice.spec.pool.generation > known[0]!.spec.pool.generation;
      if (newer) pools.set(key, [slice]);
      else if (slice.spec.pool.generation === known[0]!.spec.pool.generation) known.push(slice);
    }
    for (const parts of pools.values()) {
      // A driver is still publishing: what is missing may be what makes a choice right.
      if (parts.length < parts[0]!.spec.pool.resourceSliceCount) continue;
      const pool = makePool(parts);
      const { nodeName } = parts[0]!.spec;
      if (nodeName !== undefined && parts.every((part) => part.spec.nodeName === nodeName)) {
        const list = this.#ofNode.get(nodeName) ?? [];
        list.push(pool);
        this.#ofNode.set(nodeName, list);
      } else this.#shared.push(pool);
    }
  }

  /** The devices that a node can use. */
  devicesFor(node: NodeInfo): readonly PooledDevice[] {
    const devices: PooledDevice[] = [];
    for (const pool of [...(this.#ofNode.get(node.name) ?? []), ...this.#shared]) {
      for (const device of pool.devices) {
        if (device.reaches === undefined || device.reaches(node.labels, node.name)) devices.push(device);
      }
    }
    return devices;
  }
}

function makePool(slices: readonly ResourceSlice[]): DevicePool {
  const { driver, pool: source } = slices[0]!.spec;
  const devices: PooledDevice[] = [];
  const counters = new Map<string, number>();
  const pool: DevicePool = { driver, name: source.name, devices, counters };
  for (const { spec } of slices) {
    for (const set of spec.sharedCounters ?? []) {
      for (const [name, counter] of Object.entries(set.counters ?? {}))
        counters.set(`${set.name}/${name}`, quantityValue(counter.value));
    }
    for (const device of spec.devices ?? []) {
      const selector = selectorOf(spec.perDeviceNodeSelection === true ? device : spec);
      devices.push({
        id: deviceId(driver, source.name, device.name),
        driver,
        pool,
        device,
        selector,
        reaches: selector === undefined ? undefined : compileNodeSelector(selector),
      });
    }
  }
  return pool;
}

function selectorOf(where: Pick<Device, 'nodeName' | 'nodeSelector' | 'allNodes'>): NodeSelector | undefined {
  if (where.nodeName !== undefined && where.nodeName !== '') return nodeNamed(where.nodeName);
  if (where.nodeSelector !== undefined) return where.nodeSelector;
  return where.allNodes === true ? undefined : { nodeSelectorTerms: [] };
}

/** Selects one node by its name. */
export const nodeNamed = (name: string): NodeSelector => ({
  nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
});
