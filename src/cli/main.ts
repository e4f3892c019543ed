import { Command, InvalidArgumentError } from 'commander';
import { UserError } from '../cluster/layout.ts';
import { VERSION } from '../cluster/version.ts';

/**
 * The k8ts command. Each command's code is loaded when it is run: `k8ts status` does not pay for the API server.
 */
const program = new Command('k8ts')
  .description('Kubernetes in TypeScript: a cluster in one command')
  .version(VERSION, '--version', 'print the version')
  .showHelpAfterError('(k8ts --help lists the commands)');

function positive(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('a positive whole number is needed');
  return n;
}

function port(text: string): number {
  const n = positive(text);
  if (n > 65_535) throw new InvalidArgumentError('ports go up to 65535');
  return n;
}

const withDataDirectory = (command: Command): Command =>
  command.option('--data-dir <directory>', 'where the cluster keeps its data');

withDataDirectory(program.command('up'))
  .description('start the cluster; starting a running one changes nothing')
  .option('--yes', 'install missing Debian packages without asking')
  .option('--kubeconfig <file>', 'write the kubeconfig here in place of merging it into ~/.kube/config')
  .option('--port <port>', 'port of the API server (6443)', port)
  .option('--node-name <name>', "the node's name (the host's)")
  .option('--simulated-nodes <count>', 'nodes that exist in memory only, in place of a real one', positive)
  .option(
    '--disable <components>',
    'what others run in its place, with commas between: scheduler, controllers, proxy, dns, kubelet, node (all that a node has); none for nothing',
  )
  .option(
    '--pod-manifest-path <path>',
    'pods that the node runs by manifests of its own: a directory, or one file; empty for none',
  )
  .option('--kubelet-config <file>', "a KubeletConfiguration with the node's settings; empty for none")
  .option('--audit-policy-file <file>', 'which requests are recorded: an audit policy; empty for none')
  .option('--audit-log-path <file>', 'where they are recorded, as lines of JSON; empty for nowhere')
  .option('--etcd-servers <urls>', 'keep the state in this etcd, not in the data directory; URLs with commas between')
  .option('--etcd-cacert <file>', "etcd's certificate authority")
  .option('--etcd-cert <file>', 'client certificate for etcd')
  .option('--etcd-key <file>', 'its key')
  .option('--etcd-prefix <prefix>', 'what all keys in etcd begin with (/registry)')
  .action(async (options) => (await import('./commands/up.ts')).up(options));

withDataDirectory(program.command('down'))
  .description('stop the cluster and its containers; the data stay')
  .option('--keep-containers', 'leave the containers running; the next up adopts them')
  .action(async (options) => (await import('./commands/down.ts')).down(options));

withDataDirectory(program.command('status'))
  .description('say of every component whether it is healthy, or why not')
  .option('-o, --output <format>', 'json for machines')
  .action(async (options) => (await import('./commands/status.ts')).status(options));

withDataDirectory(program.command('logs'))
  .description('show the log, of one component if named')
  .argument('[component]', 'apiserver, scheduler, kubelet, …')
  .option('-f, --follow', 'go on as it grows')
  .option('--tail <lines>', 'only the last lines', positive)
  .option('--json', 'as it is written, one JSON object a line')
  .action(async (component: string | undefined, options) => (await import('./commands/logs.ts')).logs(component, options));

withDataDirectory(program.command('reset'))
  .description('stop the cluster and delete everything it has')
  .option('--yes', 'do not ask')
  .action(async (options) => (await import('./commands/reset.ts')).reset(options));

const image = program.command('image').description("the node's container images");
withDataDirectory(image.command('load'))
  .description('load OCI or docker archives into the node')
  .argument('<file...>', 'tar files, plain or gzipped')
  .action(async (files: readonly string[], options) => (await import('./commands/image.ts')).loadImages(files, options));

const store = program.command('store').description("the cluster's state: save it, put it back, look after it");
withDataDirectory(store.command('snapshot'))
  .description('write all of the state to a file, of a running cluster too')
  .argument('<file>', 'made anew; one that is there is replaced')
  .action(async (file: string, options) => (await import('./commands/store.ts')).snapshot(file, options));
withDataDirectory(store.command('restore'))
  .description('put a snapshot in place of the state of a stopped cluster')
  .argument('<file>', 'what snapshot wrote')
  .action(async (file: string, options) => (await import('./commands/store.ts')).restore(file, options));
withDataDirectory(store.command('check'))
  .description('read everything and say whether it is whole')
  .action(async (options) => (await import('./commands/store.ts')).check(options));
withDataDirectory(store.command('compact'))
  .description('forget history; of a stopped cluster, make the file smaller')
  .action(async (options) => (await import('./commands/store.ts')).compact(options));

withDataDirectory(program.command('run', { hidden: true }))
  .description('run the cluster in the foreground; what up starts in the background')
  .action(async (options) => (await import('./commands/run.ts')).run(options));

// Whoever read the output may have had enough of it; what was begun is finished all the same.
process.stdout.on('error', (err: NodeJS.ErrnoException) => {
  if (err.code !== 'EPIPE') throw err;
});
// The clock's timers do not keep a process alive; a command that waits on nothing else must still come to its end.
const alive = setInterval(() => {}, 2 ** 31 - 1);
try {
  await program.parseAsync();
} catch (err) {
  // What the user cannot put right is a fault of k8ts: the way to it belongs in a report.
  console.error(`k8ts: ${err instanceof UserError ? err.message : ((err as Error).stack ?? String(err))}`);
  process.exitCode = 1;
} finally {
  clearInterval(alive);
}
