import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Service } from '../schema/types/core.v1.ts'
import type { Condition } from '../schema/types/meta.v1.ts'
import { echo, GatewayWorld } from './testing.ts'
import type { Gateway, Route } from './types.ts'

let world: GatewayWorld
let address: string

const gateways = '/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways'
const routes = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes'

beforeAll(async () => {
  world = await GatewayWorld.open()
  await world.apply(`${echo('web')}${echo('api')}${echo('canary')}
apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {exposed: 'true'}}
---
apiVersion: v1
kind: Namespace
metadata: {name: store}
---
${echo('store', 'store')}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front}
spec:
  gatewayClassName: labernetes
  listeners:
    - {name: http, port: 80, protocol: HTTP, hostname: '*.example.com', allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {exposed: 'true'}}}}}
    - {name: own, port: 8080, protocol: HTTP}
    - {name: secure, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: nowhere}]}}
    - {name: raw, port: 9000, protocol: TCP}
`)
  address = (await world.object<Gateway>(`${gateways}/front`)).status?.addresses?.[0]?.value ?? ''
}, 60_000)

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  expect(world.errors).toEqual([])
})

const told = (conditions: Condition[] | undefined) => conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`)
const ask = (path: string, ...more: string[]) => world.curl(...more, `http://${address}:8080${path}`)
const who = async (path: string, ...more: string[]) => /^Name: (\w+)$/m.exec(await ask(path, ...more))?.[1]
const route = (name: string, rules: string, more = '') => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec: {parentRefs: [{name: front, sectionName: own}]${more}, rules: [${rules}]}
---
`
const to = (name: string, more = '') => `backendRefs: [{name: ${name}, port: 80${more}}]`
const parentsOf = async (name: string) =>
  (await world.object<Route>(`${routes}/${name}`)).status?.parents.map(({ conditions }) => told(conditions))

test('the class is accepted, and the Gateway gets a proxy, an address and a judgement of each listener', async () => {
  const { status } = await world.object<Gateway>('/apis/gateway.networking.k8s.io/v1/gatewayclasses/labernetes')
  expect(told(status?.conditions)).toEqual(['Accepted=True Accepted'])
  const gateway = await world.object<Gateway>(`${gateways}/front`)
  expect(told(gateway.status?.conditions)).toEqual(['Accepted=True ListenersNotValid', 'Programmed=True Programmed'])
  expect(gateway.status?.listeners?.map(({ name, conditions }) => [name, told(conditions)])).toEqual([
    ['http', ['Accepted=True Accepted', 'Conflicted=False NoConflicts', 'ResolvedRefs=True ResolvedRefs', 'Programmed=True Programmed']],
    ['own', ['Accepted=True Accepted', 'Conflicted=False NoConflicts', 'ResolvedRefs=True ResolvedRefs', 'Programmed=True Programmed']],
    [
      'secure',
      ['Accepted=True Accepted', 'Conflicted=False NoConflicts', 'ResolvedRefs=False InvalidCertificateRef', 'Programmed=False Invalid'],
    ],
    [
      'raw',
      ['Accepted=False UnsupportedProtocol', 'Conflicted=False NoConflicts', 'ResolvedRefs=True ResolvedRefs', 'Programmed=False Invalid'],
    ],
  ])
  const service = await world.object<Service>('/api/v1/namespaces/default/services/front-labernetes')
  expect(service.spec?.ports?.map(({ port }) => port)).toEqual([80, 8080])
  expect(service.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Gateway', name: 'front' })
})

describe('rules', () => {
  beforeAll(() =>
    world.apply(
      route('catchall', to('web')) +
        route('paths', `{matches: [{path: {type: Exact, value: /exact}}, {path: {value: /pre}}], ${to('api')}}`) +
        route(
          'fine',
          `{matches: [{path: {value: /pre}, headers: [{name: Version, value: two}]}, {path: {value: /pre}, method: POST}, {queryParams: [{name: q, value: x}]}], ${to('canary')}}`,
        ) +
        route('host', to('canary'), ', hostnames: [named.example.org]') +
        route(
          'redirect',
          `{matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.example.org, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /fresh}}}]}`,
        ) +
        route(
          'rewrite',
          `{matches: [{path: {value: /shop}}], filters: [{type: URLRewrite, urlRewrite: {hostname: inside, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}, {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: one}], add: [{name: X-Own, value: more}], remove: [X-Gone]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Answer, value: 'yes'}]}}], ${to('api')}}`,
        ),
    ),
  )

  test.each<[string, string[], string]>([
    ['/', [], 'web'],
    ['/exact', [], 'api'],
    ['/exact/more', [], 'web'],
    ['/pre', [], 'api'],
    ['/pre/more', [], 'api'],
    ['/prefix', [], 'web'],
    ['/pre', ['-H', 'version: two'], 'canary'],
    ['/pre', ['-H', 'version: three'], 'api'],
    ['/pre', ['-X', 'POST'], 'canary'],
    ['/any?q=x', [], 'canary'],
    ['/any?q=y', [], 'web'],
    ['/pre', ['-H', 'Host: named.example.org'], 'canary'],
  ])('send %s %j to %s', async (path, more, name) => expect(await who(path, ...more)).toBe(name))

  test('redirect and rewrite', async () => {
    expect(await ask('/old/page?x=1', '-o', '/dev/null', '-w', '%{http_code} %{redirect_url}')).toBe(
      '301 https://new.example.org/fresh/page?x=1',
    )
    const answer = await ask('/shop/cart?x=1', '-i', '-H', 'X-Own: mine', '-H', 'X-Gone: here')
    expect(answer).toMatch(/^GET \/cart\?x=1 HTTP\/1\.1$/m)
    expect(answer).toMatch(/^host: inside$/im)
    expect(answer).toMatch(/^X-Set: one$/im)
    expect(answer).toMatch(/^X-Own: mine,more$/im)
    expect(answer).not.toMatch(/X-Gone/i)
    expect(answer).toMatch(/^X-Answer: yes\r?$/m)
  })

  test('share by weight', async () => {
    await world.apply(
      route(
        'split',
        `{matches: [{path: {value: /split}}], backendRefs: [{name: web, port: 80, weight: 9}, {name: canary, port: 80, weight: 1}, {name: api, port: 80, weight: 0}]}`,
      ),
    )
    const counts = new Map<string | undefined, number>()
    for (let asked = 0; asked < 100; asked++) {
      const name = await who('/split')
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    expect([...counts.keys()].sort()).toEqual(['canary', 'web'])
    expect(counts.get('web')).toBeGreaterThan(75)
    expect(counts.get('canary')).toBeGreaterThan(2)
  })

  test('send a copy to a mirror, and end what takes too long', async () => {
    await world.apply(
      route(
        'mirror',
        `{matches: [{path: {value: /mirror}}], filters: [{type: RequestMirror, requestMirror: {backendRef: {name: watcher, port: 80}}}], ${to('web')}}`,
      ) +
        route('slow', `{matches: [{path: {value: /slow}}], timeouts: {request: 500ms}, backendRefs: [{name: watcher, port: 81}]}`) +
        `
apiVersion: v1
kind: Pod
metadata: {name: watcher, labels: {app: watcher}}
spec: {containers: [{name: c, image: 'busybox:1.36', command: [sh, -c, 'sleep 100000 | nc -l -p 81 & while true; do nc -l -p 80 | head -1; done']}]}
---
apiVersion: v1
kind: Service
metadata: {name: watcher}
spec: {selector: {app: watcher}, ports: [{name: a, port: 80}, {name: b, port: 81}]}
`,
    )
    expect(await who('/mirror/it')).toBe('web')
    await world.cluster.advance(5000)
    expect(await world.logs('watcher')).toContain('GET /mirror/it HTTP/1.1')
    expect(await ask('/slow', '-o', '/dev/null', '-w', '%{http_code}')).toBe('504')
  })
})

describe('references', () => {
  test('a route is not attached where no listener takes it, and says why', async () => {
    const at = (name: string, parent: string, more = '') => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec: {parentRefs: [{name: front, ${parent}}]${more}, rules: [{${to('web')}}]}
---
`
    await world.apply(
      at('stranger', 'sectionName: http') +
        at('nosection', 'sectionName: nothing') +
        at('otherport', 'sectionName: own, port: 80') +
        at('nowhere', 'name: missing').replace('name: front, ', ''),
    )
    expect(await parentsOf('stranger')).toEqual([['Accepted=False NotAllowedByListeners', 'ResolvedRefs=True ResolvedRefs']])
    expect(await parentsOf('nosection')).toEqual([['Accepted=False NoMatchingParent', 'ResolvedRefs=True ResolvedRefs']])
    expect(await parentsOf('otherport')).toEqual([['Accepted=False NoMatchingParent', 'ResolvedRefs=True ResolvedRefs']])
    expect(await parentsOf('nowhere')).toBeUndefined()
  })

  test('a namespace that the listener selects attaches by the hostnames in common', async () => {
    const from = (name: string, hostname: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: team}
spec:
  parentRefs: [{name: front, namespace: default, sectionName: http}]
  hostnames: ['${hostname}']
  rules: [{backendRefs: [{name: store, namespace: store, port: 80}]}]
---
`
    await world.apply(from('shared', 'shop.example.com') + from('elsewhere', 'shop.example.org'))
    const inTeam = routes.replace('/default/', '/team/')
    const told2 = async (name: string) =>
      (await world.object<Route>(`${inTeam}/${name}`)).status?.parents.map(({ conditions }) => told(conditions))
    expect(await told2('elsewhere')).toEqual([['Accepted=False NoMatchingListenerHostname', 'ResolvedRefs=False RefNotPermitted']])
    expect(await told2('shared')).toEqual([['Accepted=True Accepted', 'ResolvedRefs=False RefNotPermitted']])
    const get = () => world.curl('-i', '-H', 'Host: shop.example.com', `http://${address}/`)
    expect(await get()).toMatch(/^HTTP\/1\.1 500 /)
    await world.apply(`
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: team, namespace: store}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: team}], to: [{group: '', kind: Service, name: store}]}
`)
    expect(await told2('shared')).toEqual([['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs']])
    expect(await get()).toContain('Name: store')
    expect(await world.curl('-o', '/dev/null', '-w', '%{http_code}', '-H', 'Host: other.example.com', `http://${address}/`)).toBe('404')
    const { status } = await world.object<Gateway>(`${gateways}/front`)
    expect(status?.listeners?.[0]).toMatchObject({ name: 'http', attachedRoutes: 1 })
  })

  test('a backend that is missing or of another kind is told, and its share is answered with 500', async () => {
    const rule = (path: string, ref: string) => `{matches: [{path: {value: ${path}}}], backendRefs: [${ref}]}`
    await world.apply(
      route('gone', rule('/gone', '{name: nothing, port: 80}')) +
        route('kind', rule('/kind', '{group: apps, kind: Deployment, name: web}')) +
        route('empty', rule('/empty', '{name: empty, port: 80}')) +
        'apiVersion: v1\nkind: Service\nmetadata: {name: empty}\nspec: {selector: {app: nobody}, ports: [{port: 80}]}\n',
    )
    expect(await parentsOf('gone')).toEqual([['Accepted=True Accepted', 'ResolvedRefs=False BackendNotFound']])
    expect(await parentsOf('kind')).toEqual([['Accepted=True Accepted', 'ResolvedRefs=False InvalidKind']])
    expect(await parentsOf('empty')).toEqual([['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs']])
    const code = (path: string) => ask(path, '-o', '/dev/null', '-w', '%{http_code}')
    expect([await code('/gone'), await code('/kind'), await code('/empty')]).toEqual(['500', '500', '503'])
  })
})

test('a Gateway that goes takes its proxy with it; one of another class gets none; conflicts are told', async () => {
  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: theirs}
spec: {controllerName: example.com/other}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: theirs}
spec: {gatewayClassName: theirs, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: brief}
spec:
  gatewayClassName: labernetes
  listeners:
    - {name: a, port: 80, protocol: HTTP}
    - {name: b, port: 81, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}, {kind: HTTPRoute}]}}
`)
  const brief = await world.object<Gateway>(`${gateways}/brief`)
  expect(told(brief.status?.listeners?.[1]?.conditions)).toContain('ResolvedRefs=False InvalidRouteKinds')
  expect(brief.status?.listeners?.[1]?.supportedKinds).toEqual([{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }])
  const theirs = await world.object<Gateway>(`${gateways}/theirs`)
  expect(told(theirs.status?.conditions)).toEqual(['Accepted=Unknown Pending', 'Programmed=Unknown Pending'])
  const deployment = '/apis/apps/v1/namespaces/default/deployments/brief-labernetes'
  expect(await world.object(deployment)).toMatchObject({ kind: 'Deployment', status: { availableReplicas: 1 } })
  await world.delete(`${gateways}/brief`)
  expect(await world.object(deployment)).toMatchObject({ code: 404 })
})

test('a GRPCRoute is attached beside the others', async () => {
  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls}
spec: {parentRefs: [{name: front, sectionName: own}], rules: [{matches: [{method: {service: shop.Cart, method: Add}}], ${to('canary')}}]}
`)
  const { status } = await world.object<Route>('/apis/gateway.networking.k8s.io/v1/namespaces/default/grpcroutes/calls')
  expect(status?.parents.map(({ conditions }) => told(conditions))).toEqual([['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs']])
  expect(await who('/shop.Cart/Add', '-X', 'POST')).toBe('canary')
})
