import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubectls, Machine, type Outcome, root } from './machine.ts';

/** A k8ts cluster on a machine of its own, driven as a user does: by ./k8ts and kubectl. */
export class Cluster {
  readonly machine: Machine;
  readonly dataDirectory: string;
  readonly kubeconfig: string;
  #kubectl: string;

  constructor(name: string, subnet: string) {
    this.machine = new Machine(name, subnet);
    this.dataDirectory = join(this.machine.directory, 'data');
    this.kubeconfig = join(this.machine.directory, '.kube', 'config');
    this.#kubectl = kubectls().at(-1)?.path ?? 'kubectl';
  }

  /** Later calls of `kubectl` use this one. */
  useKubectl(path: string): void {
    this.#kubectl = path;
  }

  k8ts(...args: readonly string[]): Outcome {
    const [command = '', ...rest] = args;
    return this.machine.run(join(root, 'k8ts'), [command, ...rest, '--data-dir', this.dataDirectory], { timeoutMs: 120_000 });
  }

  /** kubectl's outcome, whatever it is. */
  try(...args: readonly string[]): Outcome {
    return this.machine.run(this.#kubectl, ['--kubeconfig', this.kubeconfig, ...args]);
  }

  /** What kubectl printed. Throws when it failed. */
  kubectl(...args: readonly string[]): string {
    const done = this.try(...args);
    if (done.code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${done.code}:\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  }

  /** As `kubectl`, with `input` on its standard input. */
  pipe(input: string, ...args: readonly string[]): Outcome {
    return this.machine.run(this.#kubectl, ['--kubeconfig', this.kubeconfig, ...args], { input });
  }

  /** What kubectl printed with `-o json`. */
  json<T = Record<string, unknown>>(...args: readonly string[]): T {
    return JSON.parse(this.kubectl(...args, '-o', 'json')) as T;
  }

  start(...args: readonly string[]): ReturnType<Machine['start']> {
    return this.machine.start(this.#kubectl, ['--kubeconfig', this.kubeconfig, ...args]);
  }

  curl(...args: readonly string[]): Outcome {
    return this.machine.run('curl', ['-sS', '--max-time', '5', ...args]);
  }

  /** The pid of the running k8ts. */
  pid(): number {
    return Number(readFileSync(join(this.dataDirectory, 'run', 'k8ts.pid'), 'utf8').split(' ')[0]);
  }

  /** Stops and deletes everything. For the end of a test, also a failed one. */
  remove(): void {
    try {
      this.k8ts('reset', '--yes');
    } finally {
      this.machine.remove();
    }
  }
}

/** Waits until `check` gives something that is not undefined or false; throws with `what` and the last error after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const until = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await check();
      if (found !== undefined && found !== false) return found as T;
    } catch (err) {
      last = err;
    }
    if (Date.now() > until) throw new Error(`gave up waiting for ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
