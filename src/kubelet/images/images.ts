import type { Pod, Secret } from '../../api/types/core-v1.ts';
import type { AuthConfig, ContainerRuntime, Image, PodSandboxConfig } from '../../runtime/contract.ts';
import type { Clock } from '../../util/clock.ts';
import { type BackoffEntry, goDuration, nextTry } from '../containers/crash-backoff.ts';
import { errorText, rpcText, StartError } from '../observed/runtime-errors.ts';
import { type AnyContainer, podUid } from '../pods/pod-spec.ts';

/** Images whose failed pulls are remembered; the oldest are forgotten first. */
const MAX_REMEMBERED = 1000;

type RecordEvent = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

const reference =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?(@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$/;

/** The reference with `:latest` where it names neither tag nor digest; undefined for what is no reference. */
export function withDefaultTag(image: string): string | undefined {
  const m = reference.exec(image);
  if (m === null) return undefined;
  return m[1] === undefined && m[2] === undefined ? `${image}:latest` : image;
}

/** The host of a reference's registry: `docker.io` for short names. */
export function registryOf(image: string): string {
  const first = image.split('/', 1)[0]!;
  return image.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost') ? first : 'docker.io';
}

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Credentials of pull secrets that fit an image, best first: those of the longest matching path. */
export function credentialsFor(image: string, secrets: readonly Secret[]): readonly AuthConfig[] {
  const host = registryOf(image);
  const name = host === 'docker.io' && !image.startsWith('docker.io/') ? `docker.io/${image}` : image;
  const found: { key: string; auth: AuthConfig }[] = [];
  for (const secret of secrets) {
    const config = secret.data?.['.dockerconfigjson'];
    const legacy = secret.data?.['.dockercfg'];
    let table: Record<string, DockerAuth> = {};
    try {
      if (config !== undefined)
        table = (JSON.parse(Buffer.from(config, 'base64').toString()) as { auths?: Record<string, DockerAuth> }).auths ?? {};
      else if (legacy !== undefined) table = JSON.parse(Buffer.from(legacy, 'base64').toString()) as Record<string, DockerAuth>;
    } catch {
      continue;
    }
    for (const [server, entry] of Object.entries(table)) {
      const key = server
        .replace(/^https?:\/\//, '')
        .replace(/\/(v1|v2)?\/?$/, '')
        .replace(/^index\.docker\.io/, 'docker.io');
      if (name === key || name.startsWith(`${key}/`) || name.startsWith(`${key}:`) || host === key) {
        const [user, ...pass] = entry.auth === undefined ? [] : Buffer.from(entry.auth, 'base64').toString().split(':');
        const username = entry.username ?? user;
        const password = entry.password ?? (pass.length > 0 ? pass.join(':') : undefined);
        found.push({
          key,
          auth: {
            ...(username === undefined ? {} : { username }),
            ...(password === undefined ? {} : { password }),
            ...(entry.identitytoken === undefined ? {} : { identityToken: entry.identitytoken }),
            ...(entry.registrytoken === undefined ? {} : { registryToken: entry.registrytoken }),
          },
        });
      }
    }
  }
  return found.sort((a, b) => b.key.length - a.key.length).map((f) => f.auth);
}

/** Sees to it that images are there before containers are made of them. */
export class Images {
  readonly #runtime: ContainerRuntime;
  readonly #clock: Clock;
  readonly #backoff = new Map<string, { readonly entry: BackoffEntry; readonly failedAt: number; readonly why: string }>();
  /** Pulls under way, by image and credentials: two pods that want the same wait for the same. */
  readonly #pulls = new Map<string, Promise<string>>();

  constructor(runtime: ContainerRuntime, clock: Clock) {
    this.#runtime = runtime;
    this.#clock = clock;
  }

  /** The image of a container, pulled by its policy. Rejects with StartError. */
  async ensure(
    pod: Pod,
    container: Pick<AnyContainer, 'image' | 'imagePullPolicy'>,
    secrets: readonly Secret[],
    sandbox: PodSandboxConfig,
    record: RecordEvent,
    pulling: () => void,
    signal: AbortSignal,
  ): Promise<Image> {
    const wanted = container.image ?? '';
    const name = withDefaultTag(wanted);
    if (name === undefined) {
      const message = `Failed to apply default image tag ${JSON.stringify(wanted)}: couldn't parse image name ${JSON.stringify(wanted)}: invalid reference format`;
      record('Warning', 'InspectFailed', message);
      throw new StartError('InvalidImageName', message);
    }
    let present: Image | undefined;
    try {
      present = await this.#runtime.imageStatus(name, signal);
    } catch (err) {
      if (signal.aborted) throw err;
      const message = `Failed to inspect image ${JSON.stringify(wanted)}: ${rpcText(err)}`;
      record('Warning', 'InspectFailed', message);
      throw new StartError('ImageInspectError', message);
    }
    const policy = container.imagePullPolicy ?? (name.endsWith(':latest') ? 'Always' : 'IfNotPresent');
    const key = `${podUid(pod)}_${wanted}`;
    if (present !== undefined && policy !== 'Always') {
      this.#backoff.delete(key);
      record(
        'Normal',
        'Pulled',
        `Container image ${JSON.stringify(wanted)} already present on machine and can be accessed by the pod`,
      );
      return present;
    }
    if (policy === 'Never') {
      const message = `Container image ${JSON.stringify(wanted)} is not present with pull policy of Never`;
      record('Warning', 'ErrImageNeverPull', message);
      throw new StartError('ErrImageNeverPull', message);
    }
    const failed = this.#backoff.get(key);
    if (failed !== undefined) {
      const { wait } = nextTry(failed.entry, failed.entry.updatedAt, this.#clock.now());
      if (wait > 0) {
        const message = `Back-off pulling image ${JSON.stringify(wanted)}: ErrImagePull: ${failed.why}`;
        record('Normal', 'BackOff', `Back-off pulling image ${JSON.stringify(wanted)}`);
        throw new StartError('ImagePullBackOff', message, wait);
      }
    }
    record('Normal', 'Pulling', `Pulling image ${JSON.stringify(wanted)}`);
    pulling();
    const startedAt = this.#clock.monotonic();
    let imageRef: string;
    try {
      imageRef = await this.#pull(name, secrets, sandbox, signal);
    } catch (err) {
      if (signal.aborted) throw err;
      const why = rpcText(err);
      record('Warning', 'Failed', `Failed to pull image ${JSON.stringify(wanted)}: ${why}`);
      const now = this.#clock.now();
      const entry = nextTry(failed?.entry, failed?.failedAt ?? now, now).entry;
      this.#backoff.delete(key);
      this.#backoff.set(key, { entry, failedAt: now, why });
      for (const oldest of this.#backoff.keys()) {
        if (this.#backoff.size <= MAX_REMEMBERED) break;
        this.#backoff.delete(oldest);
      }
      throw new StartError('ErrImagePull', why, entry.delay);
    }
    this.#backoff.delete(key);
    const image = (await this.#runtime.imageStatus(name, signal)) ?? (await this.#runtime.imageStatus(imageRef, signal));
    const took = goDuration(Math.round(this.#clock.monotonic() - startedAt));
    record(
      'Normal',
      'Pulled',
      `Successfully pulled image ${JSON.stringify(wanted)} in ${took} (${took} including waiting). Image size: ${image?.size ?? 0} bytes.`,
    );
    return image ?? { id: imageRef, repoTags: [], repoDigests: [], size: 0, pinned: false };
  }

  #pull(name: string, secrets: readonly Secret[], sandbox: PodSandboxConfig, signal: AbortSignal): Promise<string> {
    const credentials = credentialsFor(name, secrets);
    const key = JSON.stringify([name, credentials]);
    const under = this.#pulls.get(key);
    if (under !== undefined) return raceAbort(under, signal);
    const pull = this.#tryAll(name, credentials, sandbox).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return raceAbort(pull, signal);
  }

  async #tryAll(name: string, credentials: readonly AuthConfig[], sandbox: PodSandboxConfig): Promise<string> {
    if (credentials.length === 0) return this.#runtime.pullImage(name, undefined, sandbox);
    const errors: string[] = [];
    for (const auth of credentials) {
      try {
        return await this.#runtime.pullImage(name, auth, sandbox);
      } catch (err) {
        if (credentials.length === 1) throw err;
        errors.push(errorText(err));
      }
    }
    throw new Error(`[${errors.join(', ')}]`);
  }
}

/** The pull goes on for others when one pod no longer wants it. */
function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
