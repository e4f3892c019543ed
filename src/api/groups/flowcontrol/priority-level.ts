import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../../types/flowcontrol-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { nonNegative } from '../field-checks.ts';

const define = groupVersion('flowcontrol.apiserver.k8s.io', 'v1');
const spec = new FieldPath('spec');
const mostQueues = 10_000_000;
const defaultQueuing = { queues: 64, handSize: 8, queueLengthLimit: 50 } as const;

function defaultLimited(limited: LimitedPriorityLevelConfiguration): LimitedPriorityLevelConfiguration {
  const queuing = limited.limitResponse?.queuing;
  return {
    nominalConcurrencyShares: 30,
    lendablePercent: 0,
    ...limited,
    ...(queuing === undefined ? {} : { limitResponse: { ...limited.limitResponse!, queuing: withQueuingDefaults(queuing) } }),
  };
}

const withQueuingDefaults = (q: QueuingConfiguration): QueuingConfiguration => ({
  queues: q.queues || defaultQueuing.queues,
  handSize: q.handSize || defaultQueuing.handSize,
  queueLengthLimit: q.queueLengthLimit || defaultQueuing.queueLengthLimit,
});

function defaults(object: PriorityLevelConfiguration): PriorityLevelConfiguration {
  const { limited, exempt, type } = object.spec ?? {};
  const exempted = type === 'Exempt' || exempt !== undefined;
  if (limited === undefined && !exempted) return object;
  return {
    ...object,
    spec: {
      ...object.spec!,
      ...(limited === undefined ? {} : { limited: defaultLimited(limited) }),
      ...(exempted ? { exempt: { nominalConcurrencyShares: 0, lendablePercent: 0, ...exempt } } : {}),
    },
  };
}

/** Bits of entropy that dealing `handSize` of `queues` takes; the shuffle sharding has 60. */
function entropyBits(queues: number, handSize: number): number {
  let bits = 0;
  for (let i = 0; i < handSize; i++) bits += Math.log2(queues - i);
  return Math.ceil(bits);
}
const mostEntropyBits = 60;

function queuingFaults(queuing: QueuingConfiguration, path: FieldPath): readonly FieldError[] {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const errors: FieldError[] = [];
  if (queueLengthLimit <= 0) errors.push(invalid(path.child('queueLengthLimit'), queueLengthLimit, 'must be positive'));
  if (queues <= 0) errors.push(invalid(path.child('queues'), queues, 'must be positive'));
  else if (queues > mostQueues) errors.push(invalid(path.child('queues'), queues, `must not be greater than ${mostQueues}`));
  const hand = path.child('handSize');
  if (handSize <= 0) errors.push(invalid(hand, handSize, 'must be positive'));
  else if (handSize > queues) {
    errors.push(invalid(hand, handSize, `should not be greater than queues (${queues})`));
  } else if (entropyBits(queues, handSize) > mostEntropyBits) {
    const detail = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${mostEntropyBits}`;
    errors.push(invalid(hand, handSize, detail));
  }
  return errors;
}

function percentFaults(path: FieldPath, value: number | undefined): readonly FieldError[] {
  return value !== undefined && (value < 0 || value > 100) ? [invalid(path, value, 'must be between 0 and 100, inclusive')] : [];
}

function limitedFaults(limited: LimitedPriorityLevelConfiguration): readonly FieldError[] {
  const path = spec.child('limited');
  const { nominalConcurrencyShares: shares = 0, lendablePercent, borrowingLimitPercent: borrow, limitResponse } = limited;
  const errors: FieldError[] = [];
  if (shares < 0) errors.push(invalid(path.child('nominalConcurrencyShares'), shares, 'must be a non-negative integer'));
  errors.push(...percentFaults(path.child('lendablePercent'), lendablePercent));
  if (borrow !== undefined && borrow < 0) {
    errors.push(invalid(path.child('borrowingLimitPercent'), borrow, 'if specified, must be a non-negative integer'));
  }
  const at = path.child('limitResponse');
  const type = limitResponse?.type ?? '';
  const queuing = limitResponse?.queuing;
  if (type === 'Reject') {
    if (queuing !== undefined)
      errors.push(forbidden(at.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited'));
  } else if (type === 'Queue') {
    if (queuing === undefined)
      errors.push(required(at.child('queuing'), 'must not be empty if limited.limitResponse.type is Limited'));
    else errors.push(...queuingFaults(queuing, at.child('queuing')));
  } else {
    errors.push(notSupported(at.child('type'), type, ['Queue', 'Reject']));
  }
  return errors;
}

function validate(object: PriorityLevelConfiguration): readonly FieldError[] {
  const { type = '', limited, exempt } = object.spec ?? {};
  const name = object.metadata?.name;
  const errors: FieldError[] = [];
  if (name === 'exempt' && type !== 'Exempt') errors.push(invalid(spec.child('type'), type, "must be 'Exempt' because of name"));
  switch (type) {
    case 'Exempt':
      if (limited !== undefined) errors.push(forbidden(spec.child('limited'), 'must be nil if the type is not Limited'));
      if (exempt !== undefined) {
        const at = spec.child('exempt');
        errors.push(...nonNegative(at.child('nominalConcurrencyShares'), exempt.nominalConcurrencyShares));
        errors.push(...percentFaults(at.child('lendablePercent'), exempt.lendablePercent));
      }
      break;
    case 'Limited':
      if (exempt !== undefined) errors.push(forbidden(spec.child('exempt'), 'must be nil if the type is Limited'));
      if (limited === undefined) errors.push(required(spec.child('limited'), 'must not be empty when type is Limited'));
      else errors.push(...limitedFaults(limited));
      break;
    default:
      errors.push(notSupported(spec.child('type'), type, ['Exempt', 'Limited']));
  }
  return errors;
}

const shown = (value: number | undefined): unknown => value ?? '<none>';

export const priorityLevelConfiguration = define<PriorityLevelConfiguration>({
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  namespaced: false,
  status: true,
  emptyStatus: {},
  defaults,
  validate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column('Type', 'string', 'Whether requests are limited.'),
    column('NominalConcurrencyShares', 'string', 'The share of the server that the level has.'),
    column('Queues', 'string', 'How many queues requests wait in.'),
    column('HandSize', 'string', 'How many queues a flow may use.'),
    column('QueueLengthLimit', 'string', 'How many requests a queue holds.'),
  ),
  row: (object, now) => {
    const { type = '', limited, exempt } = object.spec ?? {};
    const queuing = limited?.limitResponse?.queuing;
    return [
      object.metadata?.name ?? '',
      type,
      shown(limited?.nominalConcurrencyShares ?? exempt?.nominalConcurrencyShares),
      shown(queuing?.queues),
      shown(queuing?.handSize),
      shown(queuing?.queueLengthLimit),
      age(object.metadata?.creationTimestamp, now),
    ];
  },
});
