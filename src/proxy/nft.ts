import { spawn } from 'node:child_process';

/** Runs nft scripts. */
export interface Nft {
  /** Applies a script in one transaction. Rejects with nft's own words. */
  apply(script: string): Promise<void>;
}

/** How long nft may take for one script, in milliseconds: a kernel that does not answer must not hold the proxy for ever. */
const NFT_TIMEOUT_MS = 30_000;

/** The nft command of this machine; with `netns`, run inside that named network namespace. */
export function createNft(options: { readonly netns?: string } = {}): Nft {
  const [command, ...args] =
    options.netns === undefined ? ['nft', '-f', '-'] : ['ip', 'netns', 'exec', options.netns, 'nft', '-f', '-'];
  return {
    apply: (script) =>
      new Promise((resolve, reject) => {
        const child = spawn(command!, args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: NFT_TIMEOUT_MS });
        let words = '';
        child.stderr.on('data', (chunk: Buffer) => {
          if (words.length < 4096) words += chunk.toString();
        });
        child.on('error', (err) => reject(new Error(`nft could not be started: ${err.message}`, { cause: err })));
        child.on('close', (code) =>
          code === 0 ? resolve() : reject(new Error(`nft refused the rules (exit ${code}): ${words.trim()}`)),
        );
        child.stdin.on('error', () => {});
        child.stdin.end(script);
      }),
  };
}
