import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Random } from '../../util/random.ts';
import type { ApiAccess, Authorizer, FieldManager } from '../contract.ts';
import type { AdmissionChains } from './admission-chain.ts';
import type { Registry } from './registry.ts';
import type { WriteGuard } from './write-guard.ts';

/** What every REST operation works with: the parts of one API server. */
export interface Core {
  readonly registry: Registry;
  readonly chains: AdmissionChains;
  readonly access: ApiAccess;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly fieldManager: FieldManager | undefined;
  /** For what a request turns out to do beyond its verb: an update or an apply that creates. */
  readonly authorizer: Authorizer;
  /** What some types need around their writes (Service address allocation), by `group/plural`. */
  readonly guards: ReadonlyMap<string, WriteGuard>;
}
