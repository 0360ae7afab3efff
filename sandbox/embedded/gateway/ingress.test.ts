import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSigned } from '../auth/certificates.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { Ingress } from '../schema/types/networking.v1.ts'
import { echo, GatewayWorld } from './testing.ts'

let world: GatewayWorld
let address: string

beforeAll(async () => {
  world = await GatewayWorld.open()
  await world.apply(`${echo('web')}${echo('api')}${echo('other')}`)
  address = (await world.object<Service>('/api/v1/namespaces/gateway-system/services/ingress')).status?.loadBalancer?.ingress?.[0]?.ip ?? ''
}, 60_000)

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  expect(world.errors).toEqual([])
})

const backend = (name: string, port = 'number: 80') => `backend: {service: {name: ${name}, port: {${port}}}}`
const ask = (host: string, path: string, ...more: string[]) => world.curl('-H', `Host: ${host}`, ...more, `http://${address}${path}`)
const who = async (host: string, path: string) => /^Name: (\w+)$/m.exec(await ask(host, path))?.[1] ?? (await ask(host, path)).trim()

describe('an Ingress without a class', () => {
  beforeAll(() =>
    world.apply(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  defaultBackend: {service: {name: other, port: {number: 80}}}
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /, pathType: Prefix, ${backend('web')}}
          - {path: /api, pathType: Prefix, ${backend('api', 'name: http')}}
          - {path: /api/only, pathType: Exact, ${backend('other')}}
          - {path: /gone, pathType: Prefix, ${backend('nowhere')}}
          - {path: /noport, pathType: Prefix, ${backend('web', 'number: 81')}}
    - host: '*.wild.example.com'
      http: {paths: [{path: /, pathType: ImplementationSpecific, ${backend('api')}}]}
    - host: a.wild.example.com
      http: {paths: [{path: /x, pathType: Prefix, ${backend('web')}}]}
`),
  )

  test('gets the default class and the address of the proxy', async () => {
    const { spec, status } = await world.object<Ingress>('/apis/networking.k8s.io/v1/namespaces/default/ingresses/shop')
    expect(spec?.ingressClassName).toBe('labernetes')
    expect(address).toBe('172.18.255.1')
    expect(status).toEqual({ loadBalancer: { ingress: [{ ip: address }] } })
  })

  test.each([
    ['shop.example.com', '/', 'web'],
    ['shop.example.com', '/anything?x=1', 'web'],
    ['shop.example.com', '/api', 'api'],
    ['shop.example.com', '/api/', 'api'],
    ['shop.example.com', '/api/v1', 'api'],
    ['shop.example.com', '/apis', 'web'],
    ['shop.example.com', '/api/only', 'other'],
    ['shop.example.com', '/api/only/more', 'api'],
    ['b.wild.example.com', '/', 'api'],
    ['b.c.wild.example.com', '/', 'other'],
    ['wild.example.com', '/', 'other'],
    ['a.wild.example.com', '/x', 'web'],
    ['a.wild.example.com', '/y', 'other'],
    ['elsewhere.example.com', '/', 'other'],
    ['shop.example.com', '/gone', 'Service Temporarily Unavailable'],
    ['shop.example.com', '/noport', 'Service Temporarily Unavailable'],
  ])('leads http://%s%s to %s', async (host, path, name) => expect(await who(host, path)).toBe(name))

  test('tells the server who asked', async () => {
    const answer = await ask('shop.example.com', '/')
    expect(answer).toMatch(/^Host: shop\.example\.com$/m)
    expect(answer).toMatch(/^X-Forwarded-Proto: http$/m)
    expect(answer).toMatch(/^X-Forwarded-For: \d+\.\d+\.\d+\.\d+$/m)
  })

  test('is reached by nodes too', async () => {
    const shell = world.cluster.nodeShell('labernetes-worker', ['curl', '-s', '-H', 'Host: shop.example.com', `http://${address}/`], {
      tty: false,
      stdin: false,
    })
    let output = ''
    shell.onOutput((_stream, data) => {
      output += Buffer.from(data).toString()
    })
    await world.cluster.advance(5000)
    expect(output).toContain('Name: web')
  })
})

test('a Pod that is not ready gets nothing, and a NetworkPolicy is obeyed', async () => {
  await world.apply(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: two}
spec: {rules: [{host: two.example.com, http: {paths: [{path: /, pathType: Prefix, ${backend('two')}}]}}]}
---
apiVersion: v1
kind: Service
metadata: {name: two}
spec: {selector: {app: two}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: two-a, labels: {app: two}}
spec: {containers: [{name: c, image: nginx, readinessProbe: {exec: {command: ['false']}}}]}
`)
  expect(await ask('two.example.com', '/')).toBe('no healthy upstream\n')
  await world.apply(`
apiVersion: v1
kind: Pod
metadata: {name: two-b, labels: {app: two}}
spec: {containers: [{name: c, image: nginx}]}
`)
  expect(await ask('two.example.com', '/', '-o', '/dev/null', '-w', '%{http_code}')).toBe('200')
  await world.apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own}
spec: {podSelector: {matchLabels: {app: two}}, ingress: [{from: [{podSelector: {}}]}]}
`)
  expect(await ask('two.example.com', '/')).toBe('Gateway Timeout\n')
  await world.apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: proxy}
spec:
  podSelector: {matchLabels: {app: two}}
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: gateway-system}}}]}]
`)
  expect(await ask('two.example.com', '/', '-o', '/dev/null', '-w', '%{http_code}')).toBe('200')
})

test('TLS is ended with the certificate of the host, or with one of its own', async () => {
  const notBefore = Date.parse('2029-01-01T00:00:00Z')
  const { certificate, key } = selfSigned({ dnsNames: ['secure.example.com'] }, notBefore, Date.parse('2031-01-01T00:00:00Z'))
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  await world.apply(`
apiVersion: v1
kind: Secret
metadata: {name: secure}
type: kubernetes.io/tls
data: {tls.crt: ${base64(certificate)}, tls.key: ${base64(key)}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: secure}
spec:
  tls: [{hosts: [secure.example.com], secretName: secure}]
  rules: [{host: secure.example.com, http: {paths: [{path: /, pathType: Prefix, ${backend('web')}}]}}]
`)
  const asked = (host: string, ...more: string[]) =>
    world.curl('-v', '-k', ...more, '--resolve', `${host}:443:${address}`, `https://${host}/`)
  expect(await asked('secure.example.com')).toMatch(/Name: web/)
  expect(await asked('secure.example.com')).toMatch(/^X-Forwarded-Proto: https$/m)
  expect(await asked('shop.example.com')).toMatch(/Name: web/)
  expect(await world.curl('-k', `http://${address}:443/`)).toBe('Client sent an HTTP request to an HTTPS server.\n')
})

test('another class is left alone', async () => {
  await world.apply(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: theirs}
spec: {ingressClassName: nginx, rules: [{host: theirs.example.com, http: {paths: [{path: /, pathType: Prefix, ${backend('web')}}]}}]}
`)
  const { status } = await world.object<Ingress>('/apis/networking.k8s.io/v1/namespaces/default/ingresses/theirs')
  expect(status).toEqual({ loadBalancer: {} })
  expect(await who('theirs.example.com', '/')).toBe('other')
})
