import { expect, test } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce } from '../machinery/pieces.ts'
import { decodeObject } from '../schema/index.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { toTable } from '../table/index.ts'
import { builtInResources } from './index.ts'

const context = {
  now: '2026-01-01T00:00:00Z',
  newUid: () => 'uid',
  namespaceLabels: () => ({}),
  allocator: { clusterIP: () => '10.96.0.77', nodePort: () => 30077 },
}

test.each(builtInResources.map((info) => [`${info.group}/${info.resource}`, info] as const))(
  '%s: rules bear an empty object',
  (_, info) => {
    const apiVersion = info.group ? `${info.group}/${info.version}` : info.version
    const given = { apiVersion, kind: info.kind, metadata: { name: 'x' } }
    const make = () => decodeObject(given, wireTypeOf(apiVersion, info.kind)!).object as unknown as KubeObject
    const { strategy } = info
    const object = make()
    strategy.default(object)
    strategy.prepareForCreate(object, context)
    expect(Array.isArray(atOnce(strategy.validateCreate(object, context)))).toBe(true)
    const changed = make()
    strategy.default(changed)
    strategy.prepareForUpdate(changed, object, context)
    expect(Array.isArray(atOnce(strategy.validateUpdate(changed, object)))).toBe(true)
    strategy.prepareForStatusUpdate(changed, object, context)
    for (const select of Object.values(strategy.fieldSelectors)) expect(typeof select(object)).toBe('string')
    if (info.verbs.includes('list')) expect(toTable(info, [object], { now: 0 }).rows).toHaveLength(1)
    const stored = info.conversion?.toStorage(object)
    if (stored) expect(info.conversion?.fromStorage(stored)).toMatchObject({ apiVersion, kind: info.kind })
  },
)

test.each([
  ['', 'involvedObject'],
  ['events.k8s.io', 'regarding'],
])('an Event of group "%s" is selected by every part of what it is about', (group, field) => {
  const info = builtInResources.find((each) => each.group === group && each.kind === 'Event')!
  const about = {
    kind: 'Pod',
    namespace: 'a',
    name: 'b',
    uid: 'c',
    apiVersion: 'v1',
    resourceVersion: '7',
    fieldPath: 'spec.containers{d}',
  }
  const event = { apiVersion: group ? `${group}/v1` : 'v1', kind: 'Event', metadata: { name: 'x' }, [field]: about } as KubeObject
  for (const [part, value] of Object.entries(about)) expect(info.strategy.fieldSelectors[`${field}.${part}`]?.(event)).toBe(value)
})

test('the address of a load balancer is a VIP unless it says otherwise', () => {
  const { strategy } = builtInResources.find(({ kind }) => kind === 'Service')!
  const service = (type: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'x' },
    spec: { type },
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { ip: '203.0.113.2', ipMode: 'Proxy' }, { hostname: 'x.example' }] } },
  })
  const modes = (type: string) => {
    const object = service(type)
    strategy.default(object as unknown as KubeObject)
    return object.status.loadBalancer.ingress.map((ingress) => ('ipMode' in ingress ? ingress.ipMode : undefined))
  }
  expect(modes('LoadBalancer')).toEqual(['VIP', 'Proxy', undefined])
  expect(modes('ClusterIP')).toEqual([undefined, 'Proxy', undefined])
})
