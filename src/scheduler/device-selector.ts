import { CelError, CompileError, CostLimitError, compileExpression, type Program } from '../api/cel/compile.ts';
import { compileDeviceSelector } from '../api/cel/device-selector.ts';
import { STRING } from '../api/cel/types.ts';
import { HashMap, MapValue, type Value } from '../api/cel/values.ts';
import type { Device, DeviceAttribute } from '../api/types/resource-v1.ts';

/** Expressions kept compiled; when there are more, all are compiled anew. */
const MAX_PROGRAMS = 1000;

/** Tests devices by the CEL expressions of classes and claims. */
export class DeviceSelectors {
  readonly #programs = new Map<string, Program>();
  readonly #values = new WeakMap<Device, Value>();
  readonly #quantity = compileExpression('quantity(text)', { text: STRING });
  readonly #version = compileExpression('semver(text)', { text: STRING });

  /** Throws an Error that says what is wrong with the expression, or with evaluating it. */
  matches(expression: string, device: Device, driver: string): boolean {
    let program = this.#programs.get(expression);
    try {
      if (program === undefined) {
        if (this.#programs.size >= MAX_PROGRAMS) this.#programs.clear();
        program = compileDeviceSelector(expression);
        this.#programs.set(expression, program);
      }
      return program.evaluate({ device: this.#valueOf(device, driver) }).value === true;
    } catch (err) {
      if (err instanceof CompileError) throw new Error(`CEL compile error: ${err.message}`);
      if (err instanceof CelError || err instanceof CostLimitError) throw new Error(`CEL runtime error: ${err.message}`);
      throw err;
    }
  }

  /** A device as expressions see it: `device.driver`, `device.attributes[domain].name`, `device.capacity[domain].name`. */
  #valueOf(device: Device, driver: string): Value {
    let value = this.#values.get(device);
    if (value === undefined) {
      const capacity = Object.entries(device.capacity ?? {}).map(([name, c]): [string, Value] => [
        name,
        this.#quantity.evaluate({ text: c.value }).value,
      ]);
      const attributes = Object.entries(device.attributes ?? {}).map(([name, a]): [string, Value] => [name, this.#attribute(a)]);
      value = new HashMap([
        ['driver', driver],
        ['allowMultipleAllocations', device.allowMultipleAllocations ?? false],
        ['attributes', new Domains(attributes, driver)],
        ['capacity', new Domains(capacity, driver)],
      ]);
      this.#values.set(device, value);
    }
    return value;
  }

  #attribute(attribute: DeviceAttribute): Value {
    if (attribute.version !== undefined) return this.#version.evaluate({ text: attribute.version }).value;
    if (attribute.int !== undefined) return BigInt(attribute.int);
    return attribute.bool ?? attribute.string ?? null;
  }
}

/** Values by domain and then by name. A name without a domain is in the driver's. A domain that nothing is in is empty, not missing. */
class Domains extends MapValue {
  readonly #domains: ReadonlyMap<string, MapValue>;

  constructor(values: readonly (readonly [name: string, value: Value])[], driver: string) {
    super();
    const domains = new Map<string, [string, Value][]>();
    for (const [name, value] of values) {
      const slash = name.indexOf('/');
      const domain = slash < 0 ? driver : name.slice(0, slash);
      const entries = domains.get(domain) ?? [];
      entries.push([name.slice(slash + 1), value]);
      domains.set(domain, entries);
    }
    this.#domains = new Map([...domains].map(([domain, entries]) => [domain, new HashMap(entries)]));
  }

  get size(): number {
    return this.#domains.size;
  }

  find(key: Value): Value | undefined {
    return typeof key === 'string' ? (this.#domains.get(key) ?? new HashMap([])) : undefined;
  }

  keys(): Iterable<Value> {
    return this.#domains.keys();
  }
}
