import { goQuote } from '../../meta/go-text.ts';
import type { Volume, VolumeProjection } from '../../types/core-v1.ts';

/** A file of a volume, and what it comes from where a volume has several sources. */
interface PlacedFile {
  readonly path: string;
  readonly source: string;
}

type Items = readonly { readonly path: string }[] | undefined;

const place = (items: Items, source = ''): readonly PlacedFile[] => (items ?? []).map(({ path }) => ({ path, source }));

const describe = ({ path, source }: PlacedFile): string => (source === '' ? goQuote(path) : `${goQuote(path)} (${source})`);

/** Warnings about files of one volume of which one would replace another, or be in the way of its directory. */
export function overlappingPathWarnings(volumes: readonly Volume[] | undefined): readonly string[] {
  const warnings: string[] = [];
  for (const { name, configMap, secret, downwardAPI, projected } of volumes ?? []) {
    const check = (what: string, files: readonly PlacedFile[], before: PlacedFile[]): void => {
      for (const file of files) {
        const placed = { ...file, path: file.path.replace(/\/+$/, '') };
        for (const other of before) {
          if (!overlap(placed.path, other.path)) continue;
          warnings.push(`volume ${goQuote(name)} (${what}): overlapping paths: ${describe(placed)} with ${describe(other)}`);
        }
        before.push(placed);
      }
    };
    if (configMap !== undefined) check(`ConfigMap ${goQuote(configMap.name ?? '')}`, place(configMap.items), []);
    if (secret !== undefined) check(`Secret ${goQuote(secret.secretName ?? '')}`, place(secret.items), []);
    if (downwardAPI !== undefined) check('DownwardAPI', place(downwardAPI.items), []);
    const before: PlacedFile[] = [];
    for (const source of projected?.sources ?? []) {
      if (Object.keys(source).length === 0) warnings.push(`volume ${goQuote(name)} (Projected) has no sources provided`);
      else check('Projected', filesOf(source), before);
    }
  }
  return warnings;
}

/** Of the first source that is given, as there is only one. */
function filesOf(source: VolumeProjection): readonly PlacedFile[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  if (configMap?.items !== undefined) return place(configMap.items, `ConfigMap ${goQuote(configMap.name ?? '')}`);
  if (secret?.items !== undefined) return place(secret.items, `Secret ${goQuote(secret.name ?? '')}`);
  if (downwardAPI?.items !== undefined) return place(downwardAPI.items, 'DownwardAPI');
  if (serviceAccountToken !== undefined) return place([serviceAccountToken], 'ServiceAccountToken');
  if (clusterTrustBundle !== undefined) {
    const { name = clusterTrustBundle.signerName ?? '' } = clusterTrustBundle;
    return place([clusterTrustBundle], `ClusterTrustBundle ${goQuote(name)}`);
  }
  const { certificateChainPath = '', keyPath = '', credentialBundlePath = '' } = podCertificate ?? {};
  return [
    { path: certificateChainPath, source: 'PodCertificate chain' },
    { path: keyPath, source: 'PodCertificate key' },
    { path: credentialBundlePath, source: 'PodCertificate credential bundle' },
  ].filter(({ path }) => path !== '');
}

const overlap = (a: string, b: string): boolean =>
  a !== '' && b !== '' && (`${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`));
