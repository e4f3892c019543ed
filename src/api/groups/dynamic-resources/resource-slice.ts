import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { formatTime } from '../../meta/time.ts';
import type { RequestContext } from '../../resource.ts';
import type { Device, DeviceAttribute, DeviceTaint, ResourceSlice, ResourceSliceSpec } from '../../types/resource-v1.ts';
import { mapField, mapListField, withFields } from '../core/copy-on-change.ts';
import { age, column, groupVersion, standardColumns, withGeneration } from '../define.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { validateSlice } from './slice-validation.ts';

const define = groupVersion('resource.k8s.io', 'v1');

type Devices = ReadonlyMap<string, Device>;

const devicesOf = (slice: ResourceSlice | undefined): Devices => new Map(slice?.spec?.devices?.map((d) => [d.name, d]));

/** The alpha fields, which are off: lists as attributes (KEP-5491) and what a device costs of a node's resources (KEP-5517). */
const listAttributes = ['bools', 'ints', 'strings', 'versions'] as const;

const usesListAttributes = (slice: ResourceSlice | undefined): boolean =>
  slice?.spec?.devices?.some((d) =>
    Object.values(d.attributes ?? {}).some((a) => listAttributes.some((f) => a[f] !== undefined)),
  ) ?? false;

const usesMappings = (slice: ResourceSlice | undefined): boolean =>
  slice?.spec?.devices?.some((d) => d.nodeAllocatableResourceMappings !== undefined) ?? false;

function dropDisabled(device: Device, keepLists: boolean, keepMappings: boolean): Device {
  const result = keepMappings ? device : withFields(device, { nodeAllocatableResourceMappings: undefined });
  const { attributes } = result;
  if (keepLists || attributes === undefined) return result;
  const cleared = Object.entries(attributes).map(([name, attribute]): [string, DeviceAttribute] => [
    name,
    withFields(attribute, { bools: undefined, ints: undefined, strings: undefined, versions: undefined }),
  ]);
  return cleared.every(([name, attribute]) => attributes[name] === attribute)
    ? result
    : { ...result, attributes: Object.fromEntries(cleared) };
}

/** A taint tells since when it is there, which a change of its effect begins anew. */
function stamped(taint: DeviceTaint, old: readonly DeviceTaint[] | undefined, now: string): DeviceTaint {
  if (taint.timeAdded === undefined) return { ...taint, timeAdded: now };
  const before = old?.find((t) => t.key === taint.key && (t.value ?? '') === (taint.value ?? ''));
  const restarts = before !== undefined && before.effect !== taint.effect && before.timeAdded === taint.timeAdded;
  return restarts ? { ...taint, timeAdded: now } : taint;
}

function prepared(slice: ResourceSlice, old: ResourceSlice | undefined, context: RequestContext): ResourceSlice {
  const before = devicesOf(old);
  const keepLists = usesListAttributes(old);
  const keepMappings = usesMappings(old);
  const now = formatTime(context.now);
  return mapField(slice, 'spec', (spec) =>
    mapListField(spec, 'devices', (device) =>
      mapListField(dropDisabled(device, keepLists, keepMappings), 'taints', (t) =>
        stamped(t, before.get(device.name)?.taints, now),
      ),
    ),
  );
}

const noSpec: Partial<ResourceSliceSpec> = Object.freeze({});

/** Devices that a driver offers, on one node or on many. */
export const resourceSlice = define<ResourceSlice>({
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  namespaced: false,
  strategy: {
    prepareForCreate: (object, context) => withGeneration(prepared(object, undefined, context), 1),
    prepareForUpdate: (object, old, context) => {
      const next = prepared(object, old, context);
      const before = old.metadata?.generation ?? 0;
      const same = semanticEqual('io.k8s.api.resource.v1.ResourceSliceSpec', next.spec, old.spec);
      return withGeneration(next, same ? before : before + 1);
    },
  },
  validate: (object) => validateSlice(object),
  validateUpdate: (object, old) => validateSlice(object, old),
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'Node',
      'string',
      'NodeName identifies the node which provides the resources in this pool. A field selector can be used to list only ResourceSlice objects belonging to a certain node.\n\nThis field can be used to limit access from nodes to ResourceSlices with the same node name. It also indicates to autoscalers that adding new nodes of the same type as some old node might also make new resources available.\n\nExactly one of NodeName, NodeSelector, AllNodes, and PerDeviceNodeSelection must be set. This field is immutable.',
    ),
    column(
      'Driver',
      'string',
      'Driver identifies the DRA driver providing the capacity information. A field selector can be used to list only ResourceSlice objects with a certain driver name.\n\nMust be a DNS subdomain and should end with a DNS domain owned by the vendor of the driver. It should use only lower case characters. This field is immutable.',
    ),
    column(
      'Pool',
      'string',
      'Name is used to identify the pool. For node-local devices, this is often the node name, but this is not required.\n\nIt must not be longer than 253 characters and must consist of one or more DNS sub-domains separated by slashes. This field is immutable.',
    ),
  ),
  row: (object, now) => {
    const { nodeName = '', driver = '', pool } = object.spec ?? noSpec;
    return [object.metadata?.name ?? '', nodeName, driver, pool?.name ?? '', age(object.metadata?.creationTimestamp, now)];
  },
  fieldSelectors: {
    'spec.nodeName': (object) => object.spec?.nodeName ?? '',
    'spec.driver': (object) => object.spec?.driver ?? '',
  },
});
