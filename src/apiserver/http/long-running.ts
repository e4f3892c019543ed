import type { Exchange } from './exchange.ts';

/** Subresources that are streams or proxies. */
export const streams: ReadonlySet<string> = new Set(['proxy', 'exec', 'attach', 'portforward', 'log']);

/** Watches and streams are not counted by the limiter and have no time-out (upstream's BasicLongRunningRequestCheck). */
export function isLongRunning(exchange: Exchange): boolean {
  const { info } = exchange;
  return info.isResourceRequest && (info.verb === 'watch' || streams.has(info.subresource));
}
