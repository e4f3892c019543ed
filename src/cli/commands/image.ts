import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { askControl } from '../../cluster/control.ts';
import { defaultDataDirectory, layoutOf, UserError } from '../../cluster/layout.ts';
import { runningPid } from '../../cluster/process.ts';

/** Large images take a while to unpack; in milliseconds. */
const LOAD_TIMEOUT_MS = 600_000;

/** `k8ts image load FILE…`. */
export async function loadImages(files: readonly string[], options: { readonly dataDir?: string }): Promise<void> {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  for (const file of files) if (!existsSync(file)) throw new UserError(`There is no file ${file}.`);
  if ((await runningPid(layout)) === undefined) throw new UserError('The cluster is not running. Start it with: k8ts up');
  for (const file of files) {
    const names = await askControl<readonly string[]>(
      layout.controlSocket,
      'POST',
      `/images?file=${encodeURIComponent(resolve(file))}`,
      LOAD_TIMEOUT_MS,
    ).catch((err: Error) => {
      throw new UserError(`${file} could not be loaded: ${err.message}`);
    });
    for (const name of names) console.log(`loaded ${name}`);
  }
}
