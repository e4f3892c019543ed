import { badRequest } from '../../api/meta/status.ts';
import type { RequestOptions } from '../../api/request.ts';
import { isTrue } from './request-info.ts';

const none: RequestOptions = Object.freeze({});

/** Query parameters of a resource request. A number that is none is a 400, as upstream's parameter codec answers it. */
export function parseOptions(query: URLSearchParams | undefined): RequestOptions {
  if (query === undefined) return none;
  const options: { -readonly [K in keyof RequestOptions]: RequestOptions[K] } = {};
  for (const [key, value] of query) {
    switch (key) {
      case 'resourceVersion':
      case 'resourceVersionMatch':
      case 'labelSelector':
      case 'fieldSelector':
      case 'continue':
      case 'fieldManager':
      case 'fieldValidation':
      case 'propagationPolicy':
        // The first of several counts; an empty one is none.
        if (value !== '' && options[key] === undefined) options[key] = value;
        break;
      case 'limit':
      case 'timeoutSeconds':
      case 'gracePeriodSeconds':
        options[key] ??= parseInteger(value);
        break;
      case 'allowWatchBookmarks':
      case 'sendInitialEvents':
      case 'force':
      case 'orphanDependents':
        options[key] ??= isTrue(value);
        break;
      case 'dryRun':
        options.dryRun = [...(options.dryRun ?? []), value];
        break;
    }
  }
  return options;
}

function parseInteger(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}
