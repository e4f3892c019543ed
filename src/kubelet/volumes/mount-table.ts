/** One line of /proc/self/mountinfo. */
export interface MountPoint {
  /** Major and minor number of the device: `8:1`. */
  readonly device: string;
  /** What of the device's file system is mounted. */
  readonly root: string;
  /** Where it is mounted. */
  readonly point: string;
}

/** Spaces and their kin are written as \040 there. */
const plain = (text: string): string =>
  text.replace(/\\(\d{3})/g, (_m, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** What a mountinfo text tells, in its order: that of mounting. */
export function parseMountTable(mountinfo: string): readonly MountPoint[] {
  const table: MountPoint[] = [];
  for (const line of mountinfo.split('\n')) {
    const [, , device, root, point] = line.split(' ', 5);
    if (device === undefined || root === undefined || point === undefined) continue;
    table.push({ device, root: plain(root), point: plain(point) });
  }
  return table;
}

/** Mount points at or below `dir`, deepest first. */
export function below(table: readonly MountPoint[], dir: string): readonly string[] {
  return table
    .map((mount) => mount.point)
    .filter((point) => isWithin(dir, point))
    .reverse()
    .sort((a, b) => b.length - a.length);
}

/** Every other place where the directory `path`, which no link leads to, is mounted (mount.SearchMountPoints). */
export function otherMountsOf(table: readonly MountPoint[], path: string): readonly string[] {
  let on: MountPoint | undefined;
  for (const mount of table) {
    // Of several mounts at one place the last is the one that is seen.
    if (isWithin(mount.point, path) && mount.point.length >= (on?.point.length ?? 0)) on = mount;
  }
  if (on === undefined) return [];
  const { device, point } = on;
  const root = join(on.root, path.slice(point === '/' ? 0 : point.length));
  return table.filter((m) => m.device === device && m.root === root && m.point !== path).map((m) => m.point);
}

const join = (root: string, rest: string): string => (root === '/' ? rest || '/' : rest === '/' ? root : `${root}${rest}`);
const isWithin = (dir: string, path: string): boolean => dir === '/' || path === dir || path.startsWith(`${dir}/`);
