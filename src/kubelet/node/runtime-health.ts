import type { ContainerRuntime, Image, RuntimeStatus } from '../../runtime/contract.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { errorText } from '../observed/runtime-errors.ts';

/** How often the runtime is asked how it is (Kubelet.updateRuntimeUp). Milliseconds. */
const CHECK_MS = 5_000;
/** While it is not well it is asked more often, so that the node becomes ready without delay. Milliseconds. */
const SICK_CHECK_MS = 500;
/** An answer that takes longer is none. Milliseconds. */
const ANSWER_MS = 10_000;
/** A runtime that has not answered for this long is down (maxWaitForContainerRuntime). Milliseconds. */
const DOWN_MS = 30_000;
/** How old the list of images may get. Milliseconds. */
const IMAGES_MS = 30_000;

/**
 * How the runtime is: asked in the background, so that a runtime that hangs holds up neither the node's status nor its lease.
 */
export class RuntimeHealth {
  readonly #runtime: ContainerRuntime;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #changed: () => void;
  /** Monotonic time of the last answer. */
  #seen: number | undefined;
  #status: RuntimeStatus = { conditions: [] };
  #images: readonly Image[] = [];
  #imagesAt = Number.NEGATIVE_INFINITY;
  #version = '';
  #answering = true;
  /** The problems as of the last call of `changed`. */
  #told: string | undefined;

  /** `changed`: the answer of `problems` has. */
  constructor(runtime: ContainerRuntime, clock: Clock, logger: Logger, changed: () => void) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#logger = logger;
    this.#changed = changed;
  }

  /** `containerd://1.7.2`; '' before the first answer. */
  get version(): string {
    return this.#version;
  }

  /** What the runtime can, as it last told. */
  get abilities(): Pick<RuntimeStatus, 'runtimeHandlers' | 'features'> {
    return this.#status;
  }

  /** As last listed. */
  get images(): readonly Image[] {
    return this.#images;
  }

  /** Why the runtime keeps the node from being ready. */
  problems(): readonly string[] {
    if (this.#seen === undefined) return ['container runtime status check may not have completed yet'];
    if (this.#clock.monotonic() - this.#seen > DOWN_MS) return ['container runtime is down'];
    const problems: string[] = [];
    const failing = (type: string, text: string): void => {
      const condition = this.#status.conditions.find((c) => c.type === type);
      if (condition?.status === true) return;
      problems.push(`${text}: ${type}=false reason:${condition?.reason ?? ''} message:${condition?.message ?? ''}`);
    };
    failing('RuntimeReady', 'container runtime not ready');
    failing('NetworkReady', 'container runtime network not ready');
    return problems;
  }

  /** Asks until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.check(signal);
      const well = this.#answering && this.problems().length === 0;
      await this.#clock.sleep(well ? CHECK_MS : SICK_CHECK_MS, signal).catch(() => undefined);
    }
  }

  /** Asks once. Never rejects. */
  async check(signal: AbortSignal): Promise<void> {
    const patience = new AbortController();
    const timer = this.#clock.setTimer(ANSWER_MS, () => patience.abort(new Error('no answer in time')));
    const either = AbortSignal.any([signal, patience.signal]);
    try {
      this.#status = await this.#runtime.status(either);
      if (this.#version === '' || !this.#answering) {
        const version = await this.#runtime.version(either);
        this.#version = `${version.runtimeName}://${version.runtimeVersion}`;
      }
      const now = this.#clock.monotonic();
      if (now - this.#imagesAt >= IMAGES_MS) {
        this.#images = await this.#runtime.listImages(either);
        this.#imagesAt = now;
      }
      this.#seen = this.#clock.monotonic();
      this.#answering = true;
    } catch (err) {
      if (signal.aborted) return;
      // Told once for each time it goes away.
      if (this.#answering) this.#logger.warn({ err: errorText(err) }, 'container runtime sanity check failed');
      this.#answering = false;
    } finally {
      timer.cancel();
    }
    // Time alone may have changed it too.
    const problems = this.problems().join();
    if (problems === this.#told) return;
    this.#told = problems;
    this.#changed();
  }
}
