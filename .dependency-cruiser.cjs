// Which room may import which: the map is ARCHITECTURE.md's, this file enforces it.
const rooms = {
  util: [],
  api: ['util'],
  store: ['util'],
  apiserver: ['store', 'api', 'util'],
  client: ['api', 'util'],
  controllers: ['client', 'api', 'util'],
  scheduler: ['client', 'api', 'util'],
  simulation: ['client', 'api', 'util'],
  dns: ['client', 'api', 'util'],
  proxy: ['client', 'api', 'util'],
  network: ['client', 'api', 'util'],
  runtime: ['api', 'util'],
  kubelet: ['runtime', 'client', 'api', 'util'],
  cluster: ['kubelet', 'runtime', 'network', 'proxy', 'dns', 'simulation', 'scheduler', 'controllers', 'client', 'apiserver', 'store', 'api', 'util'],
};

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/', pathNot: '\\.test\\.ts$' }, to: {} },
    { name: 'not-to-dev-dep', severity: 'error', from: { path: '^src/', pathNot: '\\.test\\.ts$|test-support|contract-test|/hostile/' }, to: { dependencyTypes: ['npm-dev'] } },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `room-${room}`,
      comment: `src/${room} may import only: ${allowed.join(', ') || 'nothing of ours'}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: '\\.test\\.ts$|test-support' },
      to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
