import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** In megabytes; in a process of its own, whose heap nobody else uses. */
function measure(program: string): number[] {
  const flags = ['--expose-gc', '--disable-warning=ExperimentalWarning', '--input-type=module'];
  const out = execFileSync(process.execPath, [...flags, '-e', program], {
    env: { ...process.env, MALLOC_TRIM_THRESHOLD_: String(2 ** 30) },
    encoding: 'utf8',
  });
  return JSON.parse(out) as number[];
}

describe.runIf(process.platform === 'linux')('native memory', () => {
  it('gives back what was freed between what is kept', () => {
    const [full = 0, freed = 0, trimmed = 0] = measure(`
      import { trimHeap } from ${JSON.stringify(join(import.meta.dirname, 'native-memory.ts'))};
      const rss = () => process.memoryUsage.rss() / 1e6;
      let all = Array.from({ length: 20_000 }, () => Buffer.allocUnsafeSlow(6_000).fill(1));
      const full = rss();
      all = all.filter((_, i) => i % 16 === 0);
      gc();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const freed = rss();
      trimHeap();
      console.log(JSON.stringify([full, freed, rss()]));
    `);
    expect(full - trimmed).toBeGreaterThan(60);
    expect(freed - trimmed).toBeGreaterThan(40);
  });
});
