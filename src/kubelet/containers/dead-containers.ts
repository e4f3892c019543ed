import { rm } from 'node:fs/promises';
import { latest, type ObservedPod } from '../observed/observed.ts';
import type { PodServices } from '../pods/pod-services.ts';

/** Dead containers kept of each name, for `logs --previous` (maximum-dead-containers-per-container). */
const DEAD_KEPT = 1;

/** Removes the dead containers of a pod but the newest of each name, and the sandboxes that hold nothing any more. */
export async function removeDead(services: Pick<PodServices, 'runtime' | 'cache'>, observed: ObservedPod): Promise<void> {
  const dead = new Map<string, number>();
  let removed = false;
  for (const c of observed.containers) {
    if (c.state !== 'exited' && c.state !== 'created') continue;
    const seen = (dead.get(c.name) ?? 0) + 1;
    dead.set(c.name, seen);
    const stillborn = c.state === 'created' && c !== latest(observed, c.name);
    if (stillborn || (c.state === 'exited' && seen > DEAD_KEPT)) {
      await services.runtime.removeContainer(c.id);
      if (c.logPath !== '') await rm(c.logPath, { force: true });
      removed = true;
    }
  }
  for (const [i, s] of observed.sandboxes.entries()) {
    if (i === 0 || s.ready || observed.containers.some((c) => c.sandboxId === s.id)) continue;
    await services.runtime.removePodSandbox(s.id);
    removed = true;
  }
  if (removed) await services.cache.refresh(observed.uid);
}
