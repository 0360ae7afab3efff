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
]

test.each(cases)('a policy with %s', (_, spec, allowed, refused) => {
  for (const [from, to, port, protocol] of allowed)
    expect([from.ip, to.ip, port, judge(spec, from, to, port, protocol)]).toEqual([from.ip, to.ip, port, true])
  for (const [from, to, port, protocol] of refused)
    expect([from.ip, to.ip, port, judge(spec, from, to, port, protocol)]).toEqual([from.ip, to.ip, port, false])
})
