import { expect, test } from 'vitest'
import type { ClusterContext } from '../machinery/context.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'
import type { NetworkPolicySpec } from '../schema/types/networking.v1.ts'
import { admits, type Party } from './policy.ts'

/** Three namespaces; `web` in shop listens on 80 (http) and 53, `db` in shop, `probe` in ops, and a client from outside. */
const namespaces = [
  { metadata: { name: 'shop', labels: { team: 'a' } } },
  { metadata: { name: 'ops', labels: { team: 'b' } } },
  { metadata: { name: 'kube-system', labels: { 'kubernetes.io/metadata.name': 'kube-system' } } },
]
const pods = [
  {
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      containers: [
        {
          name: 'c',
          ports: [
            { name: 'http', containerPort: 80 },
            { name: 'dns', containerPort: 53, protocol: 'UDP' },
          ],
        },
      ],
    },
  },
]
const pod = (namespace: string, name: string, ip: string, labels: Record<string, string>): Party => ({
  ip,
  pod: { namespace, name, labels },
})
const web = pod('shop', 'web', '10.244.0.2', { app: 'web' })
const db = pod('shop', 'db', '10.244.0.3', { app: 'db' })
const probe = pod('ops', 'probe', '10.244.1.2', { app: 'probe' })
const dns = pod('kube-system', 'coredns', '10.244.0.9', { 'k8s-app': 'kube-dns' })
const outside: Party = { ip: '192.168.7.7' }

function judge(spec: NetworkPolicySpec, from: Party, to: Party, port: number, protocol = 'TCP'): boolean {
  const tables: Record<string, unknown[]> = { networkpolicies: [{ metadata: { name: 'p', namespace: 'shop' }, spec }], namespaces, pods }
  const cache = {
    list: ({ resource }: Resource) => tables[resource] ?? [],
    get: ({ resource }: Resource, name: string) => (tables[resource] as KubeObject[]).find(({ metadata }) => metadata.name === name),
  }
  return admits({ cache } as unknown as ClusterContext, from, to, port, protocol)
}

const onWeb = { podSelector: { matchLabels: { app: 'web' } } }
const cases: [
  what: string,
  spec: NetworkPolicySpec,
  allowed: [Party, Party, number, string?][],
  refused: [Party, Party, number, string?][],
][] = [
  [
    'none of its rules: nobody comes in, all goes out',
    onWeb,
    [
      [web, db, 5432],
      [probe, db, 5432],
    ],
    [
      [db, web, 80],
      [outside, web, 80],
    ],
  ],
  ['an empty rule: all come in', { ...onWeb, ingress: [{}] }, [[outside, web, 80]], []],
  [
    'a block with an exception',
    { ...onWeb, ingress: [{ from: [{ ipBlock: { cidr: '192.168.0.0/16', except: ['192.168.8.0/24'] } }] }] },
    [[outside, web, 80]],
    [
      [{ ip: '192.168.8.1' }, web, 80],
      [db, web, 80],
    ],
  ],
  [
    'a range of ports',
    { ...onWeb, ingress: [{ ports: [{ port: 8000, endPort: 8010 }] }] },
    [
      [db, web, 8000],
      [db, web, 8010],
    ],
    [
      [db, web, 7999],
      [db, web, 8011],
      [db, web, 8005, 'UDP'],
    ],
  ],
  [
    'ports by name, of their protocol',
    { ...onWeb, ingress: [{ ports: [{ port: 'http' }, { port: 'dns', protocol: 'UDP' }] }] },
    [
      [db, web, 80],
      [db, web, 53, 'UDP'],
    ],
    [
      [db, web, 53],
      [db, web, 81],
    ],
  ],
  [
    'pods of its own namespace',
    { ...onWeb, ingress: [{ from: [{ podSelector: {} }] }] },
    [[db, web, 80]],
    [
      [probe, web, 80],
      [outside, web, 80],
    ],
  ],
  [
    'all pods of namespaces',
    { ...onWeb, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }] },
    [[probe, web, 80]],
    [[db, web, 80]],
  ],
  [
    'pods of namespaces, both in one entry',
    {
      ...onWeb,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } }, podSelector: { matchLabels: { app: 'other' } } }] }],
    },
    [],
    [
      [probe, web, 80],
      [db, web, 80],
    ],
  ],
  [
    'either of two entries',
    {
      ...onWeb,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }, { podSelector: { matchLabels: { app: 'db' } } }] }],
    },
    [
      [probe, web, 80],
      [db, web, 80],
    ],
    [[outside, web, 80]],
  ],
  [
    'out to DNS alone',
    {
      ...onWeb,
      policyTypes: ['Egress'],
      egress: [
        {
          to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }],
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
      ],
    },
    [
      [web, dns, 53, 'UDP'],
      [web, dns, 53],
      [db, web, 80],
      [db, dns, 9153],
    ],
    [
      [web, db, 5432],
      [web, outside, 443],
      [web, dns, 9153],
    ],
  ],
  [
    'egress rules and no types: both directions',
    { ...onWeb, egress: [{ ports: [{ port: 5432 }] }] },
    [[web, db, 5432]],
    [
      [web, db, 5433],
      [db, web, 80],
    ],
  ],
  ['an empty list of egress rules and no types: what comes in alone', { ...onWeb, egress: [] }, [[web, outside, 443]], [[db, web, 80]]],
  [
    'the type Egress and no rules: nothing goes out, all comes in',
    { ...onWeb, policyTypes: ['Egress'] },
    [[outside, web, 80]],
    [
      [web, db, 5432],
      [web, dns, 53, 'UDP'],
    ],
  ],
  ['an empty list of peers: all of them', { ...onWeb, ingress: [{ from: [] }] }, [[outside, web, 80]], []],
  [
    'an entry of peers and one of ports: both have to fit',
    { ...onWeb, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ port: 80 }] }] },
    [[db, web, 80]],
    [
      [db, web, 81],
      [probe, web, 80],
    ],
  ],
  [
    'a port without a protocol is TCP; a protocol without a port is all of its ports',
    { ...onWeb, ingress: [{ ports: [{ port: 80 }, { protocol: 'SCTP' }] }] },
    [
      [db, web, 80],
      [db, web, 9, 'SCTP'],
    ],
    [
      [db, web, 80, 'UDP'],
      [db, web, 9, 'UDP'],
    ],
  ],
  [
    'ports in a rule: no ICMP; none: ICMP too',
    { ...onWeb, ingress: [{ from: [{ podSelector: {} }] }, { ports: [{ port: 80 }] }] },
    [[db, web, 0, 'ICMP']],
    [[probe, web, 0, 'ICMP']],
  ],
  [
    'host network pods and nodes: by their addresses alone, never by labels',
    {
      ...onWeb,
      ingress: [{ from: [{ namespaceSelector: {}, podSelector: {} }] }, { from: [{ ipBlock: { cidr: '172.18.0.3/32' } }] }],
    },
    [[{ ip: '172.18.0.3' }, web, 80]],
    [[{ ip: '172.18.0.4' }, web, 80]],
  ],
  [
    'a block that the pods are in: pods count by their addresses too',
    { ...onWeb, ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.1.0/24'] } }] }] },
    [[db, web, 80]],
    [[probe, web, 80]],
  ],
  [
    'expressions over labels',
    {
      podSelector: {
        matchExpressions: [
          { key: 'app', operator: 'In', values: ['web', 'api'] },
          { key: 'canary', operator: 'DoesNotExist' },
        ],
      },
      ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['db'] }] } }] }],
    },
    [[pod('shop', 'cache', '10.244.0.8', { app: 'cache' }), web, 80]],
    [[db, web, 80]],
  ],
  ['itself', onWeb, [[web, web, 80]], []],
]

test.each(cases)('a policy with %s', (_, spec, allowed, refused) => {
  for (const [from, to, port, protocol] of allowed)
    expect([from.ip, to.ip, port, judge(spec, from, to, port, protocol)]).toEqual([from.ip, to.ip, port, true])
  for (const [from, to, port, protocol] of refused)
    expect([from.ip, to.ip, port, judge(spec, from, to, port, protocol)]).toEqual([from.ip, to.ip, port, false])
})
