import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const here = (name: string): string => JSON.stringify(join(import.meta.dirname, name));

it('gives garbage back that nobody would have collected, and keeps what is in use', () => {
  // In a process of its own, whose heap nobody else uses.
  const program = `
    
    import { VirtualClock } from ${here('clock.ts')};
    import { giveBackAtRest } from ${here('memory-at-rest.ts')};
    const make = (count) => Array.from({ length: count }, (_, i) => ({ number: i, text: 'text ' + i, list: [{ i }] }));
    const used = make(50_000);
    let garbage = make(400_000);
    const { heapTotal: full } = process.memoryUsage();
    garbage = undefined;
    const clock = new VirtualClock();
    giveBackAtRest(clock, new AbortController().signal);
    // The loop rests, and is asked again.
    let rested = full;
    const until = performance.now() + 20_000;
    while (rested > full / 2 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await clock.advance(10_000);
      rested = process.memoryUsage().heapTotal;
    }
    console.log(JSON.stringify([full, rested, used.length]));
  `;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module'];
  const out = execFileSync(process.execPath, [...flags, '-e', program], { encoding: 'utf8' });
  const [full = 0, rested = 0, used] = JSON.parse(out) as number[];
  expect(rested).toBeLessThan(full / 2);
  expect(used).toBe(50_000);
}, 40_000);
