import type { Descriptions } from '../../api/schema/openapi.ts';
import type { Parameter } from './operations.ts';

/** A parameter as OpenAPI v2 has it, its members in the order of kube-openapi's JSON: the name it is shared by is a hash of that. */
const v2Parameter = (p: Parameter, description: string): object => ({
  uniqueItems: true,
  type: p.type,
  description,
  name: p.name,
  in: p.in,
  ...(p.in === 'path' ? { required: true } : {}),
});

/** Told in full each time: by dryRun and fieldValidation older kubectls recognize what a server can do, and names tell the kind. */
const unshared: ReadonlySet<string> = new Set(['name', 'dryRun', 'fieldValidation']);

/**
 * The parameters of one OpenAPI v2 document. Nearly all are the same for hundreds of operations, and their texts are long: they stand once, under
 * the names that kube-openapi gives them.
 */
export class SharedParameters {
  readonly #descriptions: Descriptions | undefined;
  readonly #shared = new Map<string, object>();
  readonly #references = new Map<Parameter, object>();

  constructor(descriptions: Descriptions | undefined) {
    this.#descriptions = descriptions;
  }

  /** The parameter as an operation has it: a reference where it is shared. */
  of(parameter: Parameter): object {
    const known = this.#references.get(parameter);
    if (known !== undefined) return known;
    const whole = v2Parameter(parameter, describeParameter(parameter, this.#descriptions));
    if (unshared.has(parameter.name)) return whole;
    const name = `${parameter.name}-${hashOf(JSON.stringify(whole))}`;
    this.#shared.set(name, whole);
    const reference = Object.freeze({ $ref: `#/parameters/${name}` });
    this.#references.set(parameter, reference);
    return reference;
  }

  /** All that was referred to, by name. */
  all(): Readonly<Record<string, object>> {
    return Object.fromEntries([...this.#shared].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** What a parameter is told of: in Kubernetes' words where they are known. */
export const describeParameter = ({ name, description }: Parameter, descriptions: Descriptions | undefined): string =>
  (name === 'name' ? undefined : descriptions?.parameter(name)) ?? description;

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const HASH_BYTES = 6;

/** The first bytes of the FNV-1 hash of 64 bits, in base64 for URLs. */
function hashOf(text: string): string {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, hash * FNV_PRIME) ^ BigInt(byte);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(hash);
  return bytes.subarray(0, HASH_BYTES).toString('base64url');
}
