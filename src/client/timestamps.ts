/** Wall time as metav1.Time writes it: whole seconds, UTC, `2026-01-01T00:00:00Z`. `ms` since the epoch. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Wall time as metav1.MicroTime writes it: six digits of fraction. */
export function formatMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}

/** Milliseconds since the epoch of a Time or MicroTime; 0 when there is none or it cannot be read. */
export function parseTime(text: string | undefined): number {
  if (text === undefined) return 0;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? 0 : ms;
}
