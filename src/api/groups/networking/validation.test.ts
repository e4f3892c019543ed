import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'networking.k8s.io/v1/ingresses': [
    [
      'wants its parts',
      { metadata: { name: 'a', namespace: 'default' }, spec: {} },
      undefined,
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'wants sense',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          defaultBackend: {},
          rules: [
            { host: '1.2.3.4', http: { paths: [] } },
            {
              host: '*.A',
              http: {
                paths: [
                  { backend: { service: { name: 's', port: { number: 80 } } } },
                  { path: 'x', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } },
                  { path: '/a//b/..', pathType: 'Exact', backend: { service: { name: 'A', port: { name: 'x', number: 1 } } } },
                  { path: '/', pathType: 'Foo', backend: { resource: { kind: '', name: '' } } },
                  { path: '/', pathType: 'Prefix', backend: { service: { name: 's' } } },
                ],
              },
            },
          ],
          tls: [{ hosts: ['A'], secretName: 'B' }],
          ingressClassName: 'C',
        },
      },
      undefined,
      [
        'spec.defaultBackend: Invalid value: "": resource or service backend is required',
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        'spec.rules[0].http.paths: Required value',
        "spec.rules[1].host: Invalid value: \"*.A\": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.rules[1].http.paths[0].pathType: Required value: pathType must be specified',
        'spec.rules[1].http.paths[1].path: Invalid value: "x": must be an absolute path',
        'spec.rules[1].http.paths[2].path: Invalid value: "/a//b/..": must not contain \'//\'',
        'spec.rules[1].http.paths[2].path: Invalid value: "/a//b/..": cannot end with \'/..\'',
        "spec.rules[1].http.paths[2].backend.service.name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'spec.rules[1].http.paths[2].backend: Invalid value: "": cannot set both port name & port number',
        'spec.rules[1].http.paths[3].pathType: Unsupported value: "Foo": supported values: "Exact", "ImplementationSpecific", "Prefix"',
        'spec.rules[1].http.paths[3].backend.resource.kind: Required value',
        'spec.rules[1].http.paths[3].backend.resource.name: Required value',
        'spec.rules[1].http.paths[4].backend: Required value: port name or number is required',
        "spec.tls[0].hosts[0]: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.tls[0].secretName: Invalid value: \"B\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.ingressClassName: Invalid value: \"C\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'class',
      {
        metadata: { name: 'a', annotations: { 'kubernetes.io/ingress.class': 'd' } },
        spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } }, ingressClassName: 'c' },
      },
      undefined,
      ['annotations.kubernetes.io/ingress.class: Invalid value: "d": must match `ingressClassName` when both are specified'],
    ],
  ],
  'networking.k8s.io/v1/ingressclasses': [
    [
      'wants sense',
      { spec: { controller: 'x', parameters: { kind: '', name: 'a/b', scope: 'X' } } },
      undefined,
      [
        'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
        'spec.parameters.kind: Required value',
        'spec.parameters.name: Invalid value: "a/b": may not contain \'/\'',
        'spec.parameters.scope: Unsupported value: "X": supported values: "Cluster", "Namespace"',
      ],
    ],
    [
      'ns',
      { spec: { controller: 'a.io/b', parameters: { kind: 'K', name: 'n', scope: 'Namespace' } } },
      undefined,
      ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
    ],
    [
      'keeps what cannot change',
      { spec: { controller: 'a.io/b' } },
      (c) => {
        c.spec.controller = 'a.io/c';
      },
      ['spec.controller: Invalid value: "a.io/c": field is immutable'],
    ],
  ],
  'networking.k8s.io/v1/networkpolicies': [
    ['is content', { spec: { podSelector: {} } }, undefined, []],
    [
      'wants sense',
      {
        spec: {
          podSelector: { matchLabels: { 'a b': 'c' } },
          policyTypes: ['X'],
          ingress: [
            {
              ports: [{ protocol: 'X', port: 0 }, { endPort: 5 }, { port: 10, endPort: 5 }, { port: 'http', endPort: 5 }],
              from: [
                {},
                { podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } },
                { ipBlock: { cidr: '' } },
                { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8', 'x'] } },
              ],
            },
          ],
        },
      },
      undefined,
      [
        "spec.podSelector.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.ingress[0].ports[0].protocol: Unsupported value: "X": supported values: "TCP", "UDP", "SCTP"',
        'spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ingress[0].ports[1].endPort: Invalid value: 5: may not be specified when `port` is not specified',
        'spec.ingress[0].ports[2].endPort: Invalid value: 5: must be greater than or equal to `port`',
        'spec.ingress[0].ports[3].endPort: Invalid value: 5: may not be specified when `port` is non-numeric',
        'spec.ingress[0].from[0]: Required value: must specify a peer',
        'spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer',
        'spec.ingress[0].from[2].ipBlock.cidr: Required value',
        'spec.ingress[0].from[3].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
        'spec.ingress[0].from[3].ipBlock.except[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        'spec.policyTypes[0]: Unsupported value: "X": supported values: "Ingress", "Egress"',
      ],
    ],
  ],
  'networking.k8s.io/v1/servicecidrs': [
    ['wants its parts', {}, undefined, ['spec.cidrs: Required value: at least one CIDR required']],
    [
      'wants sense',
      { spec: { cidrs: ['10.0.0.0/8', '11.0.0.0/8'] } },
      undefined,
      [
        'spec.cidrs: Invalid value: {"cidrs":["10.0.0.0/8","11.0.0.0/8"]}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96',
      ],
    ],
    [
      'three',
      { spec: { cidrs: ['a', 'b', 'c'] } },
      undefined,
      ['spec.cidrs: Invalid value: {"cidrs":["a","b","c"]}: may only hold up to 2 values'],
    ],
    [
      'one',
      { spec: { cidrs: ['10.0.0.1/8'] } },
      undefined,
      ['spec.cidrs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'],
    ],
    [
      'keeps what cannot change',
      { spec: { cidrs: ['10.0.0.0/8'] } },
      (c) => {
        c.spec.cidrs = ['11.0.0.0/8'];
      },
      ['spec.cidrs[0]: Invalid value: "11.0.0.0/8": field is immutable'],
    ],
  ],
  'networking.k8s.io/v1/ipaddresses': [
    ['wants its parts', { metadata: { name: '10.0.0.1' } }, undefined, ['spec.parentRef: Required value']],
    [
      'wants sense',
      { metadata: { name: '10.0.0.1' }, spec: { parentRef: { group: 'A', resource: '', name: '' } } },
      undefined,
      [
        "spec.parentRef.group: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.parentRef.resource: Required value',
        'spec.parentRef.name: Required value',
      ],
    ],
  ],
};

describe.each(Object.entries(cases))('%s', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, change, faults) => {
    expect(faultsOf(resource, draft, change)).toEqual(faults);
  });
});
