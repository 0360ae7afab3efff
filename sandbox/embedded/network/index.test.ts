import { describe, expect, onTestFinished, test } from 'vitest'
import { ClusterClock } from '../clock.ts'
import type { Cache, ClusterContext } from '../machinery/context.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'
import { createNetwork } from './index.ts'
import type { Connection, HttpRequest, PodNetwork } from './network.ts'

const dns = {
  nameservers: ['10.96.0.10'],
  searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  ndots: 5,
}
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const get = (path = '/'): HttpRequest => ({ method: 'GET', path, headers: { host: 'x' }, body: new Uint8Array() })

describe('connections', () => {
  test('bytes flow both ways and each direction ends by itself', async () => {
    const { pod } = cluster()
    pod('a', '10.244.0.2').listen(7, { accept: echoUntilEnd })
    const connection = await pod('b', '10.244.0.3').connect('10.244.0.2', 7)
    const heard = collect(connection)
    connection.write(Buffer.from('one '))
    connection.write(Buffer.from('two'))
    connection.end()
    expect(await heard).toBe('one twobye')
    expect(connection.remote).toEqual({ ip: '10.244.0.2', port: 7 })
    expect(connection.local.ip).toBe('10.244.0.3')
  })

  test('a port nobody listens on refuses, an unused pod address and a loopback listener stay out of reach', async () => {
    const { pod, clock } = cluster()
    const a = pod('a', '10.244.0.2')
    const b = pod('b', '10.244.0.3')
    a.listen(80, { accept: echoUntilEnd }, '127.0.0.1')
    await expect(b.connect('10.244.0.2', 80)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(a.connect('localhost', 80)).resolves.toBeDefined()
    const lost = expect(b.connect('10.244.0.99', 80)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    const nobody = expect(b.connect('172.18.0.99', 80)).rejects.toMatchObject({ code: 'EHOSTUNREACH' })
    const hasty = expect(b.connect('10.244.0.99', 80, undefined, 'TCP', 1000)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await clock.advance(2000)
    await hasty
    await clock.advance(130_000)
    await Promise.all([lost, nobody])
  })

  test('a port is bound once and free again afterwards', () => {
    const { pod } = cluster()
    const a = pod('a', '10.244.0.2')
    const bound = a.listen(80, { accept: echoUntilEnd })
    expect(() => a.listen(80, { accept: echoUntilEnd })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    bound[Symbol.dispose]()
    a.listen(80, { accept: echoUntilEnd })
    expect(a.listeners()).toEqual([{ host: '0.0.0.0', port: 80, protocol: 'tcp' }])
  })

  test('UDP carries datagrams, beside TCP on the same port, and a port without a socket refuses', async () => {
    const { pod } = cluster()
    const server = pod('a', '10.244.0.2')
    server.listen(53, { accept: echoUntilEnd })
    const heardByServer: string[] = []
    server.listen(
      53,
      {
        accept: (flow) =>
          flow.onData((data) => {
            heardByServer.push(text(data))
            flow.write(Buffer.from(`re: ${text(data)}`))
          }),
      },
      '',
      'UDP',
    )
    const flow = await pod('b', '10.244.0.3').connect('10.244.0.2', 53, undefined, 'UDP')
    const answers: string[] = []
    const both = new Promise<void>((resolve) =>
      flow.onData((data) => {
        answers.push(text(data))
        if (answers.length === 2) resolve()
      }),
    )
    flow.write(Buffer.from('one'))
    flow.write(Buffer.from('two'))
    await both
    expect(heardByServer).toEqual(['one', 'two'])
    expect(answers).toEqual(['re: one', 're: two'])
    expect(server.listeners().map(({ protocol }) => protocol)).toEqual(['tcp', 'udp'])
    await expect(pod('c', '10.244.0.4').connect('10.244.0.2', 54, undefined, 'UDP')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('the end of a pod ends its connections', async () => {
    const { pod } = cluster()
    const a = pod('a', '10.244.0.2')
    a.listen(7, { accept: () => {} })
    const heard = collect(await pod('b', '10.244.0.3').connect('10.244.0.2', 7))
    a[Symbol.dispose]()
    expect(await heard).toBe('')
  })
})

describe('http', () => {
  test('is carried as requests between two that speak it', async () => {
    const { pod } = cluster()
    const server = pod('a', '10.244.0.2')
    server.listen(80, hello)
    const answer = await pod('b', '10.244.0.3').http('10.244.0.2', 80, get('/path'))
    expect([answer.status, text(answer.body)]).toEqual([200, 'GET /path from 10.244.0.3'])
  })

  test('is parsed from bytes for a client that writes them itself', async () => {
    const { pod } = cluster()
    pod('a', '10.244.0.2').listen(80, hello)
    const connection = await pod('b', '10.244.0.3').connect('10.244.0.2', 80)
    const heard = collect(connection)
    connection.write(Buffer.from('GET /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    const answer = await heard
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answer).toMatch(/\r\n\r\nGET \/raw from 10\.244\.0\.3$/)
  })

  test('is written as bytes to a server that reads them itself', async () => {
    const { pod } = cluster()
    pod('a', '10.244.0.2').listen(80, {
      accept: (connection) => {
        connection.onData((data) => {
          const [line] = text(data).split('\r\n')
          connection.write(Buffer.from(`HTTP/1.1 418 I'm a teapot\r\nContent-Length: ${line?.length}\r\n\r\n${line}`))
        })
      },
    })
    const answer = await pod('b', '10.244.0.3').http('10.244.0.2', 80, get('/tea'))
    expect([answer.status, text(answer.body)]).toEqual([418, 'GET /tea HTTP/1.1'])
  })

  test('ends with the pod that was to answer', async () => {
    const { pod } = cluster()
    const a = pod('a', '10.244.0.2')
    a.listen(80, { http: () => new Promise(() => {}) })
    const lost = expect(pod('b', '10.244.0.3').http('10.244.0.2', 80, get())).rejects.toMatchObject({ code: 'ECONNRESET' })
    await new Promise((resolve) => setImmediate(resolve))
    a[Symbol.dispose]()
    await lost
  })
})

describe('Services', () => {
  test('lead to ready endpoints, by address and by name', async () => {
    const { pod, put } = cluster()
    pod('a', '10.244.0.2').listen(8080, named('a'))
    pod('b', '10.244.0.3').listen(8080, named('b'))
    put(service('web', '10.96.1.1', [{ name: 'http', port: 80, targetPort: 'web' }]))
    put(slice('web', 'http', 8080, [ready('10.244.0.2'), unready('10.244.0.3')]))
    const client = pod('c', '10.244.0.4')
    for (const host of ['10.96.1.1', 'web', 'web.default', 'web.default.svc.cluster.local', 'web.default.svc.cluster.local.']) {
      expect(text((await client.http(host, 80, get())).body)).toBe('a')
    }
    await expect(client.connect('web', 81)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('spread over all endpoints, and keep a client with ClientIP affinity', async () => {
    const { pod, put } = cluster()
    for (const [name, ip] of [
      ['a', '10.244.0.2'],
      ['b', '10.244.0.3'],
    ] as const) {
      pod(name, ip).listen(80, named(name))
    }
    put(service('any', '10.96.1.1', [{ port: 80 }]))
    put(slice('any', '', 80, [ready('10.244.0.2'), ready('10.244.0.3')]))
    put(service('same', '10.96.1.2', [{ port: 80 }], { sessionAffinity: 'ClientIP' }))
    put(slice('same', '', 80, [ready('10.244.0.2'), ready('10.244.0.3')]))
    const client = pod('c', '10.244.0.4')
    const ask = async (host: string) => text((await client.http(host, 80, get())).body)
    const any = new Set<string>()
    const same = new Set<string>()
    for (let n = 0; n < 20; n++) {
      any.add(await ask('any'))
      same.add(await ask('same'))
    }
    expect([...any].sort()).toEqual(['a', 'b'])
    expect(same.size).toBe(1)
  })

  test.each([
    ['without endpoints refuse', [], 'refused'],
    ['with only unready endpoints refuse', [{ addresses: ['10.244.0.2'], conditions: { ready: false, serving: false } }], 'refused'],
    [
      'use terminating endpoints that still serve when no other is ready',
      [{ addresses: ['10.244.0.2'], conditions: { ready: false, serving: true, terminating: true } }],
      'a',
    ],
  ])('%s', async (_name, endpoints, outcome) => {
    const { pod, put } = cluster()
    pod('a', '10.244.0.2').listen(80, named('a'))
    put(service('web', '10.96.1.1', [{ port: 80 }]))
    put(slice('web', '', 80, endpoints))
    const answer = pod('c', '10.244.0.4').http('web', 80, get())
    if (outcome === 'refused') await expect(answer).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    else expect(text((await answer).body)).toBe(outcome)
  })

  test('answer on a node port of every node; a pod that meets itself sees the gateway', async () => {
    const { pod, put, network } = cluster()
    const a = pod('a', '10.244.0.2')
    a.listen(80, hello)
    put(service('web', '10.96.1.1', [{ port: 80, nodePort: 30080 }], { type: 'NodePort' }))
    put(slice('web', '', 80, [ready('10.244.0.2')]))
    const outside = network.node('n1')
    expect((await outside.http('172.18.0.2', 30080, get())).status).toBe(200)
    expect(text((await a.http('web', 80, get())).body)).toBe('GET / from 10.244.0.1')
  })

  test('are not needed for a hostPort', async () => {
    const { pod, put, network } = cluster()
    pod('a', '10.244.0.2').listen(8080, named('a'))
    put({
      apiVersion: 'v1',
      kind: 'Pod',
      ...inNamespace('a'),
      spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ containerPort: 8080, hostPort: 80 }] }] },
      status: { hostIP: '172.18.0.2', podIP: '10.244.0.2' },
    } as KubeObject)
    expect(text((await network.node('n1').http('172.18.0.2', 80, get())).body)).toBe('a')
  })

  test('of the API lead to the API server', async () => {
    const api = named('api')
    const { pod, put } = cluster({ apiServer: () => api })
    put(service('kubernetes', '10.96.0.1', [{ name: 'https', port: 443 }]))
    put(slice('kubernetes', 'https', 6443, [ready('172.18.0.2')]))
    expect(text((await pod('c', '10.244.0.4').http('kubernetes.default.svc', 443, get())).body)).toBe('api')
  })
})

describe('traffic policies', () => {
  const setting = (spec: object) => {
    const made = cluster()
    made.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n2' },
      spec: { podCIDR: '10.244.1.0/24' },
      status: { addresses: [{ type: 'InternalIP', address: '172.18.0.3' }] },
    } as KubeObject)
    made.pod('a', '10.244.0.2').listen(80, hello)
    made.put(service('web', '10.96.1.1', [{ port: 80, nodePort: 30080 }], { type: 'NodePort', ...spec }))
    made.put(slice('web', '', 80, [{ ...ready('10.244.0.2'), nodeName: 'n1' }]))
    return made
  }

  test('external Local keeps the client, and its endpoints answer on their own node only', async () => {
    const { network, pod, clock } = setting({ externalTrafficPolicy: 'Local' })
    const far = network.node('n2')
    expect(text((await far.http('172.18.0.2', 30080, get())).body)).toBe('GET / from 172.18.0.3')
    const lost = expect(pod('c', '10.244.0.4').http('172.18.0.3', 30080, get())).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await clock.advance(130_000)
    await lost
    // What comes from the node itself is not external.
    expect((await far.http('172.18.0.3', 30080, get())).status).toBe(200)
  })

  test('external Cluster goes on to another node under the address of the first', async () => {
    const { network, pod } = setting({})
    expect(text((await network.node('n1').http('172.18.0.3', 30080, get())).body)).toBe('GET / from 172.18.0.3')
    expect(text((await pod('c', '10.244.0.4').http('172.18.0.2', 30080, get())).body)).toBe('GET / from 10.244.0.1')
    expect(text((await network.node('n1').http('127.0.0.1', 30080, get())).body)).toBe('GET / from 10.244.0.1')
  })

  test('kube-proxy tells its health, and to load balancers where a Service with external Local has endpoints', async () => {
    const { network, put } = setting({ externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 })
    const [near, far] = [network.node('n1'), network.node('n2')]
    await expect(near.http('127.0.0.1', 10256, get('/healthz'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    for (const nodeName of ['n1', 'n2']) {
      const metadata = { name: `kube-proxy-${nodeName}`, namespace: 'kube-system', labels: { 'k8s-app': 'kube-proxy' } }
      put({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName, containers: [] }, status: { phase: 'Running' } } as KubeObject)
    }
    expect((await far.http('172.18.0.2', 10256, get('/healthz'))).status).toBe(200)
    expect(text((await near.http('127.0.0.1', 10249, get('/proxyMode'))).body)).toBe('iptables')
    await expect(far.http('172.18.0.2', 10249, get('/proxyMode'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const health = async (ip: string) => {
      const { status, body } = await near.http(ip, 31000, get())
      return [status, (JSON.parse(text(body)) as { localEndpoints: number }).localEndpoints]
    }
    expect(await health('172.18.0.2')).toEqual([200, 1])
    expect(await health('172.18.0.3')).toEqual([503, 0])
  })

  test('internal Local drops what comes from a node without endpoints', async () => {
    const { network, pod, clock } = setting({ internalTrafficPolicy: 'Local' })
    expect((await pod('c', '10.244.0.4').http('10.96.1.1', 80, get())).status).toBe(200)
    const lost = expect(network.node('n2').http('10.96.1.1', 80, get())).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await clock.advance(130_000)
    await lost
  })
})

describe('DNS', () => {
  const setting = () => {
    const made = cluster()
    made.put(service('web', '10.96.1.1', [{ name: 'http', port: 80 }]))
    made.put(service('db', 'None', [{ name: 'sql', port: 5432 }]))
    made.put(slice('db', 'sql', 5432, [{ ...ready('10.244.0.2'), hostname: 'db-0' }, ready('10.244.0.3'), unready('10.244.0.4')]))
    made.put(service('gone', 'None', [{ port: 80 }]))
    made.put({ ...service('ext', '', []), spec: { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' } } as KubeObject)
    return made.pod('c', '10.244.0.9')
  }

  test.each([
    ['web', 'A', ['10.96.1.1']],
    ['web', 'AAAA', []],
    ['db', 'A', ['10.244.0.2', '10.244.0.3']],
    ['db-0.db', 'A', ['10.244.0.2']],
    ['10-244-0-3.db.default.svc.cluster.local', 'A', ['10.244.0.3']],
    ['ext', 'A', ['10.96.1.1', 'web.default.svc.cluster.local']],
    ['ext', 'CNAME', ['web.default.svc.cluster.local']],
    ['_http._tcp.web', 'SRV', ['web.default.svc.cluster.local']],
    ['_sql._tcp.db', 'SRV', ['10-244-0-3.db.default.svc.cluster.local', 'db-0.db.default.svc.cluster.local']],
    ['10.96.1.1', 'PTR', ['web.default.svc.cluster.local']],
    ['2.0.244.10.in-addr.arpa', 'PTR', ['db-0.db.default.svc.cluster.local']],
    ['10-244-0-77.default.pod.cluster.local', 'A', ['10.244.0.77']],
    ['n1', 'A', ['172.18.0.2']],
  ] as const)('%s %s', async (name, type, expected) => {
    const answers = await setting().resolve(name, type)
    expect(answers.map(({ data }) => data).sort()).toEqual([...expected].sort())
  })

  test.each(['nothing', 'web.', 'gone', 'x.db', 'web.other', 'example.com'])('%s does not exist', async (name) => {
    await expect(setting().resolve(name)).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })

  test('names stay unanswered while CoreDNS has no ready pod', async () => {
    const { pod, put, clock } = cluster()
    put({ ...service('kube-dns', '10.96.0.10', [{ name: 'dns', port: 53, protocol: 'UDP' }]), ...inNamespace('kube-dns', 'kube-system') })
    const asked = expect(pod('c', '10.244.0.9').resolve('kubernetes')).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await clock.advance(60_000)
    await asked
  })

  test("a pod's own hosts come before DNS", async () => {
    const { network } = cluster()
    const hosts = () => [{ ip: '127.0.0.1', names: ['alias.test'] }]
    const pod = network.attach({ uid: 'u', namespace: 'default', name: 'p', node: 'n1', ip: '10.244.0.2', dns, labels: () => ({}), hosts })
    pod.listen(80, named('self'))
    expect(text((await pod.http('alias.test', 80, get())).body)).toBe('self')
  })
})

describe('NetworkPolicy', () => {
  test('lets in whom a rule names and nobody else, except the node', async () => {
    const { pod, put, clock, network } = cluster()
    pod('db', '10.244.0.2', { app: 'db' }).listen(5432, named('db'))
    put(
      policy('db', {
        podSelector: { matchLabels: { app: 'db' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
      }),
    )
    expect(text((await pod('web', '10.244.0.3', { app: 'web' }).http('10.244.0.2', 5432, get())).body)).toBe('db')
    expect(text((await network.node('n1').http('10.244.0.2', 5432, get())).body)).toBe('db')
    const other = expect(pod('other', '10.244.0.4').connect('10.244.0.2', 5432)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await clock.advance(130_000)
    await other
  })

  test('egress rules name ports', async () => {
    const { pod, put, clock } = cluster()
    const server = pod('s', '10.244.0.2')
    server.listen(80, named('80'))
    server.listen(81, named('81'))
    put(policy('out', { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 80 }] }] }))
    const client = pod('c', '10.244.0.3')
    expect(text((await client.http('10.244.0.2', 80, get())).body)).toBe('80')
    const other = expect(client.connect('10.244.0.2', 81)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await clock.advance(130_000)
    await other
  })
})

const hello = {
  http: async (request: HttpRequest, peer: { ip: string }) => ({
    status: 200,
    headers: { 'content-type': 'text/plain' },
    body: Buffer.from(`${request.method} ${request.path} from ${peer.ip}`),
  }),
}

function named(name: string) {
  return { http: async () => ({ status: 200, headers: {}, body: Buffer.from(name) }) }
}

function echoUntilEnd(connection: Connection): void {
  connection.onData((data) => connection.write(data))
  connection.onEnd(() => {
    connection.write(Buffer.from('bye'))
    connection.end()
  })
}

function collect(connection: Connection): Promise<string> {
  return new Promise((resolve) => {
    let all = ''
    connection.onData((data) => {
      all += text(data)
    })
    connection.onEnd(() => resolve(all))
  })
}

/** A network over a table of objects, on a clock that stands still. */
function cluster(options: Parameters<typeof createNetwork>[1] = {}) {
  const objects = new Map<string, KubeObject>()
  const clock = new ClusterClock({ start: 0, rate: 0 })
  let seed = 1
  const cache = {
    get: (_resource: Resource, name: string, namespace = '') => objects.get(`${_resource.resource}/${namespace}/${name}`),
    list: (resource: Resource, namespace?: string) =>
      [...objects].filter(([key]) => key.startsWith(`${resource.resource}/${namespace ?? ''}`)).map(([, object]) => object),
  } as unknown as Cache
  const indexed = (resource: Resource, indexer: (object: KubeObject) => readonly string[], key: string) =>
    cache.list(resource).filter((object) => indexer(object).includes(key))
  const watchers = new Set<(change: { type: 'ADDED'; object: KubeObject }) => void>()
  Object.assign(cache, {
    indexed,
    watch: (_resource: Resource, listener: (change: { type: 'ADDED'; object: KubeObject }) => void) => {
      watchers.add(listener)
      return { [Symbol.dispose]: () => watchers.delete(listener) }
    },
  })
  const stored = new Map<string, unknown>()
  const records = { get: (key: string) => stored.get(key), put: (key: string, value: unknown) => void stored.set(key, value) }
  const random = () => {
    seed = (seed * 16807) % 2147483647
    return seed / 2147483647
  }
  const ctx = { clock, cache, random, records, signal: new AbortController().signal } as unknown as ClusterContext
  const network = createNetwork(ctx, options)
  onTestFinished(() => {
    network[Symbol.dispose]()
    clock[Symbol.dispose]()
  })
  const put = (object: KubeObject) => {
    const plural = object.kind === 'NetworkPolicy' ? 'networkpolicies' : `${object.kind.toLowerCase()}s`
    objects.set(`${plural}/${object.metadata.namespace ?? ''}/${object.metadata.name}`, object)
    if (object.kind === 'Node') for (const watcher of watchers) watcher({ type: 'ADDED', object })
  }
  put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } })
  put({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { podCIDR: '10.244.0.0/24' },
    status: { addresses: [{ type: 'InternalIP', address: '172.18.0.2' }] },
  } as KubeObject)
  const pod = (name: string, ip: string, labels: Record<string, string> = {}): PodNetwork =>
    network.attach({ uid: name, namespace: 'default', name, node: 'n1', ip, dns, labels: () => labels })
  return { network, clock, put, pod }
}

function inNamespace(name: string, namespace = 'default') {
  return { metadata: { name, namespace, uid: `uid-${name}` } }
}

function service(name: string, clusterIP: string, ports: object[], spec: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', ...inNamespace(name), spec: { clusterIP, ports, ...spec } } as KubeObject
}

function slice(serviceName: string, port: string, number: number, endpoints: object[]): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${serviceName}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    ports: [{ name: port, port: number, protocol: 'TCP' }],
    endpoints,
  } as KubeObject
}

function ready(ip: string) {
  return { addresses: [ip], conditions: { ready: true, serving: true } }
}

function unready(ip: string) {
  return { addresses: [ip], conditions: { ready: false, serving: false } }
}

function policy(name: string, spec: object): KubeObject {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', ...inNamespace(name), spec } as KubeObject
}
