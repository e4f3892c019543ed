/** What upstream's aggregator tells of the APIs that cannot be reached. */
export class AvailabilityMetrics {
  readonly #unavailable = new Map<string, boolean>();
  readonly #losses = new Map<string, { readonly name: string; readonly reason: string; count: number }>();

  set(name: string, available: boolean): void {
    this.#unavailable.set(name, !available);
  }

  /** An API that was available, or new, is not. */
  lost(name: string, reason: string): void {
    const key = `${name} ${reason}`;
    const known = this.#losses.get(key);
    if (known === undefined) this.#losses.set(key, { name, reason, count: 1 });
    else known.count++;
  }

  /** An API that is no more. */
  forget(name: string): void {
    this.#unavailable.delete(name);
    for (const [key, loss] of this.#losses) if (loss.name === name) this.#losses.delete(key);
  }

  /** In Prometheus' text format. Names are those of objects: no escaping is needed. */
  text(): string {
    const lines = [
      '# HELP aggregator_unavailable_apiservice [ALPHA] Gauge of APIServices which are marked as unavailable broken down by APIService name.',
      '# TYPE aggregator_unavailable_apiservice gauge',
    ];
    for (const [name, unavailable] of this.#unavailable) {
      lines.push(`aggregator_unavailable_apiservice{name="${name}"} ${unavailable ? 1 : 0}`);
    }
    lines.push(
      '# HELP aggregator_unavailable_apiservice_total [ALPHA] Counter of APIServices which are marked as unavailable broken down by APIService name and reason.',
      '# TYPE aggregator_unavailable_apiservice_total counter',
    );
    for (const { name, reason, count } of this.#losses.values()) {
      lines.push(`aggregator_unavailable_apiservice_total{name="${name}",reason="${reason}"} ${count}`);
    }
    return `${lines.join('\n')}\n`;
  }
}
