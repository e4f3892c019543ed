// npm test: installs what the tests need, then runs every check a reviewer would. Runs on Node 20; the checks themselves run on Node 26.
// usage: node scripts/test.mjs [check ...]   (types, lint, boundaries, unit, etcd, cluster; all of them when none is named)
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

/** Runs a command in the foreground; true when it ended with 0. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  return result.status === 0;
}

function installDependencies() {
  const stamp = join('node_modules', '.k8ts-installed');
  const current = existsSync(stamp) && readFileSync(stamp).equals(readFileSync('package-lock.json'));
  if (current && existsSync('node_modules/vitest')) return;
  console.log('installing the locked dependencies');
  if (!run('npm', ['ci', '--no-audit', '--no-fund'])) process.exit(1);
  copyFileSync('package-lock.json', stamp);
}

/** Debian packages that the whole-cluster tests drive. Elsewhere, or without root, those tests say why they skip. */
const debianPackages = {
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  crun: '/usr/bin/crun',
  nftables: '/usr/sbin/nft',
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  'busybox-static': '/bin/busybox',
  'etcd-server': '/usr/bin/etcd',
  iproute2: '/sbin/ip',
  conntrack: '/usr/sbin/conntrack',
  curl: '/usr/bin/curl',
};

function installPackages() {
  if (process.platform !== 'linux' || process.getuid() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  const missing = Object.keys(debianPackages).filter((name) => !existsSync(debianPackages[name]));
  const apt = (...args) =>
    run('apt-get', args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'inherit'] });
  const kubectl =
    existsSync('/usr/bin/kubectl') || (process.env.PATH ?? '').split(':').some((p) => existsSync(join(p, 'kubectl')));
  if (!kubectl) missing.push('kubernetes-client');
  if (missing.length === 0) return;
  console.log(`installing ${missing.join(' ')}`);
  if (!apt('update', '-qq') || !apt('install', '-y', '-qq', '--no-install-recommends', ...missing)) {
    console.error('some packages could not be installed; the tests that need them will skip');
  }
}

function node26() {
  for (const name of readdirSync('node_modules').filter((n) => n.startsWith('node-'))) {
    const binary = join(root, 'node_modules', name, 'bin', 'node');
    if (existsSync(binary)) return binary;
  }
  return process.execPath;
}

/** A check that is one pass or one failure. */
function tool(name, script, args) {
  const ok = run(node, [join('node_modules', script), ...args]);
  return { name, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

/** A vitest run: its tests are counted one by one. */
function suite(name, ...args) {
  const directory = mkdtempSync(join(tmpdir(), 'k8ts-test-'));
  const file = join(directory, 'report.json');
  const ok = run(node, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...args,
  ]);
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  rmSync(directory, { recursive: true, force: true });
  const passed = report?.numPassedTests ?? 0;
  const failed = report?.numFailedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  // A suite that could not even be loaded counts no test but has failed all the same.
  return { name, passed, failed: ok ? failed : Math.max(failed, 1), skipped };
}

installDependencies();
installPackages();
const node = node26();
process.env.PATH = `${dirname(node)}:${process.env.PATH}`;

const checks = {
  types: () => tool('types', 'typescript/bin/tsc', ['-p', '.']),
  lint: () => tool('lint', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']),
  boundaries: () =>
    tool('boundaries', 'dependency-cruiser/bin/dependency-cruise.mjs', ['--config', '.dependency-cruiser.cjs', 'src/**/*.ts']),
  unit: () => suite('unit'),
  etcd: () => suite('etcd', '--config', 'vitest.etcd.config.ts'),
  cluster: () => suite('cluster', '--config', 'vitest.cluster.config.ts'),
};
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(' ')}; there are ${Object.keys(checks).join(' ')}`);
  process.exit(2);
}
const results = (asked.length > 0 ? asked : Object.keys(checks)).map((name) => {
  console.log(`\n== ${name}`);
  return checks[name]();
});
const total = (key) => results.reduce((sum, r) => sum + r[key], 0);
console.log('');
for (const r of results) console.log(`${r.name.padEnd(12)}${r.failed > 0 ? 'FAILED' : 'ok'}`);
console.log(`${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped`);
process.exit(total('failed') > 0 ? 1 : 0);
