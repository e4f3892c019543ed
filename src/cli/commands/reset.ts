import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { defaultDataDirectory, hasCluster, layoutOf, UserError } from '../../cluster/layout.ts';
import { systemClock } from '../../util/clock.ts';
import { Steps } from '../steps.ts';
import { stopCluster } from './down.ts';

/** `k8ts reset`: nothing of the cluster is left afterwards but its entry in kubeconfigs. */
export async function reset(options: { readonly dataDir?: string; readonly yes?: boolean }): Promise<void> {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  if (!hasCluster(layout)) {
    console.log(`There is no cluster in ${layout.root}.`);
    return;
  }
  if (options.yes !== true) {
    if (!process.stdin.isTTY) throw new UserError('reset deletes the cluster and all its data. To mean it, add --yes.');
    const prompt = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await prompt.question(`Delete the cluster in ${layout.root} with all its data, images and volumes? [y/N] `);
    prompt.close();
    if (!/^y/i.test(answer.trim())) {
      console.log('Nothing was changed.');
      return;
    }
  }
  const steps = new Steps(process.stdout, systemClock);
  await stopCluster(layout, { containers: true }, steps);
  const step = steps.begin('deleting the data');
  await rm(layout.root, { recursive: true, force: true });
  step.done();
  console.log('The cluster is gone. Make a new one with: k8ts up');
}
