import { describe, expect, it } from 'vitest';
import { containerdConfig, mayLowerOomScore } from './containerd-config.ts';

const status = (capabilities: string): string =>
  `Name:\tnode\nCapPrm:\t${capabilities}\nCapEff:\t${capabilities}\nCapBnd:\t000001ffffffffff\n`;

describe('the OOM scores that containers may have', () => {
  it("are lower than the daemon's where the process may lower its own", () => {
    expect(mayLowerOomScore(status('000001ffffffffff'))).toBe(true);
    expect(mayLowerOomScore(status('0000000001000000'))).toBe(true);
    expect(mayLowerOomScore(status('000001fffeffffff'))).toBe(false);
    expect(mayLowerOomScore(status('0000000000000000'))).toBe(false);
    expect(mayLowerOomScore('')).toBe(false);
  });

  it('are restricted in the configuration only where they cannot be', () => {
    const config = {
      rootDir: '/d/root',
      stateDir: '/d/state',
      socketPath: '/d/s',
      ttrpcPath: '/d/s.ttrpc',
      optDir: '/d/opt',
      cniBinDir: '/cni',
      cniConfDir: '/net.d',
      streamAddress: '127.0.0.1',
      runtimes: [{ name: 'crun', path: '/usr/bin/crun' }],
    } as const;
    expect(containerdConfig({ ...config, lowOomScores: true })).toContain('restrict_oom_score_adj = false\n');
    expect(containerdConfig({ ...config, lowOomScores: false })).toContain('restrict_oom_score_adj = true\n');
  });
});
