/**
 * Why a name is no time zone, in the words of Go's time.LoadLocation; undefined when it is one. `UTC`, '' and `Local` are; names are
 * those of the IANA database, links among them, and their case counts.
 */
export function timeZoneFault(name: string): string | undefined {
  if (name === '' || name === 'UTC' || name === 'Local') return undefined;
  if (name.split('/').includes('..') || name.startsWith('/') || name.startsWith('\\')) return 'time: invalid location name';
  try {
    // Offsets are zones to Temporal, but no names; and it knows names in any case, but gives back the one of the database.
    const known = /^[A-Za-z]/.test(name) && new Temporal.ZonedDateTime(0n, name).timeZoneId === name;
    if (known) return undefined;
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
  }
  return `unknown time zone ${name}`;
}
