import { run } from './commands/run.ts';
import { warm } from './commands/warm.ts';

/**
 * What `k8ts up` starts in the background, with the data directory as its argument: `k8ts run` without the command line's parser. The build calls
 * it with `warm`, so that even the first start finds its code compiled.
 */
const argument = process.argv[2];
// The clock's timers do not keep a process alive.
setInterval(() => {}, 2 ** 31 - 1);
if (argument === 'warm') await warm();
else await run(argument === undefined ? {} : { dataDir: argument });
