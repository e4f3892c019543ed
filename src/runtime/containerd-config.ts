import { PAUSE_IMAGE } from './image-build.ts';

/** Low-level runtimes containerd drives for us. */
export type RuncRuntime = 'crun' | 'runc';

/** What containerd's configuration is made from. Paths are absolute. */
export interface ContainerdConfig {
  readonly rootDir: string;
  readonly stateDir: string;
  readonly socketPath: string;
  readonly ttrpcPath: string;
  readonly optDir: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** Address its stream server (exec, attach, port-forward) listens on. */
  readonly streamAddress: string;
  /** Directory of hosts.toml files (`certs.d`), if any. */
  readonly registryConfigPath?: string;
  /** The runtimes there are, with the paths of their programs; the first is the default. */
  readonly runtimes: readonly { readonly name: RuncRuntime; readonly path: string }[];
  /** Whether containers may be given a lower oom_score_adj than the daemon's own, as those of guaranteed pods are; see `mayLowerOomScore`. */
  readonly lowOomScores: boolean;
}

/** CAP_SYS_RESOURCE, as a bit of the sets in /proc/PID/status. */
const SYS_RESOURCE = 1n << 24n;

/**
 * Whether a process whose /proc/PID/status is `status` may lower its oom_score_adj. One that may not, in most containers and some virtual
 * machines, must not ask for it: no container would start.
 */
export function mayLowerOomScore(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & SYS_RESOURCE) !== 0n;
}

/**
 * What a node does not need: starting without them takes containerd 20 ms less. `io.containerd.runtime.v1.linux` must stay: the CRI plugin of
 * 1.6 does not load without it.
 */
const disabledPlugins = [
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.native',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.internal.v1.restart',
  'io.containerd.internal.v1.tracing',
  'io.containerd.monitor.v1.cgroups',
  'io.containerd.tracing.processor.v1.otlp',
];

/** The text of config.toml (version 2, which containerd 1.5 to 2.x read). */
export function containerdConfig(config: ContainerdConfig): string {
  const cri = '[plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${quote(config.rootDir)}
state = ${quote(config.stateDir)}
disabled_plugins = [${disabledPlugins.map(quote).join(', ')}]
[grpc]
address = ${quote(config.socketPath)}
[ttrpc]
address = ${quote(config.ttrpcPath)}
[plugins."io.containerd.internal.v1.opt"]
path = ${quote(config.optDir)}
${cri}]
sandbox_image = ${quote(PAUSE_IMAGE)}
stream_server_address = ${quote(config.streamAddress)}
stream_server_port = "0"
disable_apparmor = true
restrict_oom_score_adj = ${!config.lowOomScores}
${cri}.cni]
bin_dir = ${quote(config.cniBinDir)}
conf_dir = ${quote(config.cniConfDir)}
${config.registryConfigPath === undefined ? '' : `${cri}.registry]\nconfig_path = ${quote(config.registryConfigPath)}\n`}${cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = ${quote(config.runtimes[0]!.name)}
${config.runtimes
  .map(
    ({ name, path }) => `${cri}.containerd.runtimes.${name}]
runtime_type = "io.containerd.runc.v2"
${cri}.containerd.runtimes.${name}.options]
BinaryName = ${quote(path)}
SystemdCgroup = false
`,
  )
  .join('')}`;
}

/** A TOML basic string: for what paths hold, JSON's escapes are TOML's. */
function quote(text: string): string {
  return JSON.stringify(text);
}
