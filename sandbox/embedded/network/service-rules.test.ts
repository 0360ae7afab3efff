import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ClusterContext } from '../machinery/context.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'
import { serviceRules } from './service-rules.ts'

/** Services, their EndpointSlices and what iptables-save said on the only node of a kind cluster that had them. */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/kube-proxy.json'), 'utf8')) as {
  services: KubeObject[]
  endpointSlices: KubeObject[]
  rules: { nat: string[]; filter: string[] }
}
const node = {
  metadata: { name: 'real-control-plane' },
  status: { addresses: [{ type: 'InternalIP', address: '172.18.0.2' }] },
} as unknown as KubeObject

function rulesOn(name: string, services = recorded.services, endpointSlices = recorded.endpointSlices) {
  const tables: Record<string, KubeObject[]> = { services, endpointslices: endpointSlices, nodes: [node] }
  const cache = {
    list: ({ resource }: Resource, namespace?: string) =>
      (tables[resource] ?? []).filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
    indexed: ({ resource }: Resource, indexer: (object: KubeObject) => readonly string[], key: string) =>
      (tables[resource] ?? []).filter((object) => indexer(object).includes(key)),
    get: ({ resource }: Resource, wanted: string) => tables[resource]?.find(({ metadata }) => metadata.name === wanted),
  }
  return serviceRules({ cache } as unknown as ClusterContext, name)
}

/** kube-proxy writes the Services into these in the order of a Go map, which is none. */
const unordered = new Set(['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-EXTERNAL-SERVICES', 'KUBE-PROXY-FIREWALL'])

function byChain(rules: readonly string[]): Record<string, string[]> {
  const chains: Record<string, string[]> = {}
  for (const rule of rules) (chains[rule.split(' ')[1] as string] ??= []).push(rule)
  for (const name of unordered) chains[name]?.sort()
  return chains
}

test.each(['nat', 'filter'] as const)("are kube-proxy's own, rule by rule: %s", (table) => {
  expect(byChain(rulesOn('real-control-plane')[table].rules)).toEqual(byChain(recorded.rules[table]))
})

test('a node without endpoints of its own drops what must stay local, and still short-circuits its pods', () => {
  const { nat, filter } = rulesOn('another-node')
  const of = (rules: string[], text: string) => rules.filter((rule) => rule.includes(text))
  expect(of(filter.rules, 'gwnet/intlocal has no local endpoints')).toEqual([expect.stringMatching(/^-A KUBE-SERVICES .* -j DROP$/)])
  expect(of(filter.rules, 'gwnet/extlocal has no local endpoints')).toEqual([
    expect.stringMatching(/^-A KUBE-EXTERNAL-SERVICES .* --dport 31002 -j DROP$/),
  ])
  expect(nat.chains.filter((name) => name.startsWith('KUBE-SVL-'))).toEqual([])
  expect(of(nat.rules, 'pod traffic for gwnet/extlocal')).toHaveLength(1)
})
