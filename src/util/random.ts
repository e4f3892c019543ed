import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** The only source of randomness. Components take one; tests and the simulator give a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform integer in [0, bound). `bound` is a positive safe integer. */
  int(bound: number): number;
  /** A version 4 UUID. */
  uuid(): string;
  /** `length` characters of the alphabet of generated names: no vowels, and no characters that look alike. */
  nameSuffix(length: number): string;
}

/** Alphabet of upstream's `rand.String`: what generateName and ReplicaSet hashes are written in. */
export const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

abstract class RandomBase implements Random {
  abstract float(): number;
  abstract int(bound: number): number;
  abstract uuid(): string;
  nameSuffix(length: number): string {
    let out = '';
    for (let i = 0; i < length; i++) out += SAFE_ALPHABET[this.int(SAFE_ALPHABET.length)];
    return out;
  }
}

class SystemRandom extends RandomBase {
  float(): number {
    return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
  }
  int(bound: number): number {
    return randomInt(bound);
  }
  uuid(): string {
    return randomUUID();
  }
}

/** The host's cryptographic randomness. */
export const systemRandom: Random = new SystemRandom();

/** A repeatable sequence (mulberry32): same seed, same run. Not for secrets. */
export class SeededRandom extends RandomBase {
  #state: number;
  constructor(seed: number) {
    super();
    this.#state = seed >>> 0;
  }
  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
  int(bound: number): number {
    return Math.floor(this.float() * bound);
  }
  uuid(): string {
    const hex = Array.from({ length: 32 }, () => this.int(16).toString(16));
    hex[12] = '4';
    hex[16] = '89ab'[this.int(4)]!;
    return `${hex.slice(0, 8).join('')}-${hex.slice(8, 12).join('')}-${hex.slice(12, 16).join('')}-${hex.slice(16, 20).join('')}-${hex.slice(20).join('')}`;
  }
}
