import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../../types/flowcontrol-v1.ts';
import { age, column, groupVersion, keptByStatus, standardColumns } from '../define.ts';
import { nonNegative } from '../field-checks.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { mandatoryLevels } from './bootstrap-configuration.ts';

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

/** Bits of entropy that dealing `handSize` of `queues` takes, as upstream reckons it; the shuffle sharding has 60. */
const entropyBits = (queues: number, handSize: number): number => Math.ceil(Math.log2(queues) * handSize);
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
  if ((name === 'exempt') !== (type === 'Exempt')) {
    errors.push(invalid(spec.child('type'), type, "type must be 'Exempt' if and only if name is 'exempt'"));
  }
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
  const fixed = mandatoryLevels.find((must) => must.metadata?.name === name)?.spec;
  if (fixed === undefined) return errors;
  // What the level `exempt` lends is for administrators to say; all else is fixed.
  const have = fixed.exempt === undefined ? object.spec : { ...object.spec, exempt: fixed.exempt };
  if (!semanticEqual('io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec', have, fixed)) {
    const but = fixed.exempt === undefined ? '' : " except the 'spec.exempt' field";
    errors.push(invalid(spec, object.spec, `spec of '${name}'${but} must equal the fixed value`));
  }
  return errors;
}

const shown = (value: number | undefined): unknown => value ?? '<none>';

export const priorityLevelConfiguration = define<PriorityLevelConfiguration>({
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  namespaced: false,
  status: true,
  statusKeeps: keptByStatus,
  emptyStatus: {},
  defaults,
  validate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'Type',
      'string',
      '`type` indicates whether this priority level is subject to limitation on request execution.  A value of `"Exempt"` means that requests of this priority level are not subject to a limit (and thus are never queued) and do not detract from the capacity made available to other priority levels.  A value of `"Limited"` means that (a) requests of this priority level _are_ subject to limits and (b) some of the server\'s limited capacity is made available exclusively to this priority level. Required.',
    ),
    column(
      'NominalConcurrencyShares',
      'string',
      '`nominalConcurrencyShares` (NCS) contributes to the computation of the NominalConcurrencyLimit (NominalCL) of this level. This is the number of execution seats available at this priority level. This is used both for requests dispatched from this priority level as well as requests dispatched from other priority levels borrowing seats from this level. The server\'s concurrency limit (ServerCL) is divided among the Limited priority levels in proportion to their NCS values:\n\nNominalCL(i)  = ceil( ServerCL * NCS(i) / sum_ncs ) sum_ncs = sum[priority level k] NCS(k)\n\nBigger numbers mean a larger nominal concurrency limit, at the expense of every other priority level.\n\nIf not specified, this field defaults to a value of 30.\n\nSetting this field to zero supports the construction of a "jail" for this priority level that is used to hold some request(s)',
    ),
    column(
      'Queues',
      'string',
      '`queues` is the number of queues for this priority level. The queues exist independently at each apiserver. The value must be positive.  Setting it to 1 effectively precludes shufflesharding and thus makes the distinguisher method of associated flow schemas irrelevant.  This field has a default value of 64.',
    ),
    column(
      'HandSize',
      'string',
      "`handSize` is a small positive number that configures the shuffle sharding of requests into queues.  When enqueuing a request at this priority level the request's flow identifier (a string pair) is hashed and the hash value is used to shuffle the list of queues and deal a hand of the size specified here.  The request is put into one of the shortest queues in that hand. `handSize` must be no larger than `queues`, and should be significantly smaller (so that a few heavy flows do not saturate most of the queues).  See the user-facing documentation for more extensive guidance on setting this field.  This field has a default value of 8.",
    ),
    column(
      'QueueLengthLimit',
      'string',
      '`queueLengthLimit` is the maximum number of requests allowed to be waiting in a given queue of this priority level at a time; excess requests are rejected.  This value must be positive.  If not specified, it will be defaulted to 50.',
    ),
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
