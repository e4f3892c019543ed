import type { IncomingHttpHeaders } from 'node:http';

const BEARER = /^bearer +(\S+)$/i;

/** The token of an Authorization header. */
export const bearerToken = (headers: IncomingHttpHeaders): string | undefined => BEARER.exec(headers.authorization ?? '')?.[1];
