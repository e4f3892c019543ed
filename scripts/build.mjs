// Bundles the command and everything behind it into dist/. Lazy imports stay separate files, so that a command loads only what it runs.
import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { readDescriptions } from './descriptions.mjs';

/**
 * An ES module's import of node:http makes Node evaluate every export of it, and with them its whole fetch client: tens of milliseconds at each
 * start for something nobody uses. Taken as a plain object, only what is named is touched.
 */
const plainHttp = {
  name: 'plain-http',
  setup(build) {
    build.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'http', namespace: 'plain-http' } : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'plain-http' }, () => ({
      contents: `const http = process.getBuiltinModule('node:http');
        export default http;
        export const { Agent, createServer, IncomingMessage, request, Server, ServerResponse, STATUS_CODES } = http;`,
    }));
  },
};

/**
 * Parts of prom-client that load a good deal: its workers' registry and its push client, which nothing here uses, and the metrics of the process,
 * which wait for the first who asks.
 */
const leanMetrics = {
  name: 'lean-metrics',
  setup(build) {
    build.onLoad({ filter: /prom-client[\\/]lib[\\/](cluster|pushgateway)\.js$/ }, () => ({
      contents: 'module.exports = undefined;',
    }));
    build.onLoad({ filter: /prom-client[\\/]index\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/= (require\('\.\/lib\/defaultMetrics'\));/, '= (...args) => $1(...args);'),
    }));
  },
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// Old kubectls show the server's commit; there is none outside of a checkout.
const commit = spawnSync('git', ['-C', root, 'log', '-1', '--format=%H %cd', '--date=format-local:%Y-%m-%dT%H:%M:%SZ'], {
  encoding: 'utf8',
  env: { ...process.env, TZ: 'UTC', GIT_CEILING_DIRECTORIES: dirname(root) },
});
const [commitHash, commitDate] = commit.status === 0 ? commit.stdout.trim().split(' ') : [];
// Built beside and moved into place, so that a command started meanwhile finds the old bundle or the new one.
const outdir = join(root, `dist.${process.pid}.tmp`);
/** Two bundles that share nothing: each piece that both held would be a file more for the server to find and open at its start. */
const bundle = (entryPoints) =>
  build({
    entryPoints,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    // Packages that bring both: the ES module can be bundled leaner, and its named exports are there.
    mainFields: ['module', 'main'],
    target: 'node26',
    sourcemap: 'linked',
    legalComments: 'none',
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [plainHttp, leanMetrics],
    // Native code, found next to its package.
    external: ['lmdb'],
    define: {
      'process.env.K8TS_VERSION': JSON.stringify(version),
      ...(commitHash === undefined
        ? {}
        : {
            'process.env.K8TS_COMMIT': JSON.stringify(commitHash),
            'process.env.K8TS_COMMIT_DATE': JSON.stringify(commitDate),
          }),
    },
    // CommonJS packages inside an ES module bundle still call require.
    banner: { js: "import{createRequire as __k8tsRequire}from'node:module';const require=__k8tsRequire(import.meta.url);" },
    logLevel: 'warning',
  });
await Promise.all([
  bundle({ k8ts: join(root, 'src/cli/main.ts') }),
  bundle({ server: join(root, 'src/cli/server.ts') }),
  bundle({ 'yaml-worker': join(root, 'src/apiserver/http/yaml-worker.ts') }),
]);
writeFileSync(join(outdir, 'descriptions.json'), JSON.stringify(readDescriptions(root)));
rmSync(join(root, 'dist'), { recursive: true, force: true });
rmSync(join(root, '.cache', 'compile'), { recursive: true, force: true });
renameSync(outdir, join(root, 'dist'));

// Best effort: without it the first starts compile what they need, and are slower by that.
spawnSync(process.execPath, ['--min-semi-space-size=16', '--max-semi-space-size=16', join(root, 'dist', 'server.mjs'), 'warm'], {
  stdio: 'ignore',
  timeout: 60_000,
  env: { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, '.cache', 'compile') },
});
