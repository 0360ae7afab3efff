import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { CorefileFault, parseCorefile } from './corefile.ts'

/** Faults, answers and logs are those of CoreDNS 1.12 in a Pod of a kind cluster with the same Corefile. */
let cluster: Cluster
const errors: unknown[] = []

beforeAll(async () => {
  cluster = await Cluster.open({
    nodes: 1,
    clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 },
    report: (where, error) => errors.push([where, error]),
  })
  await cluster.advance(20_000)
  const body = {
    metadata: { name: 'client' },
    spec: { containers: [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '1000000'] }] },
  }
  await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })
  await cluster.advance(10_000)
}, 30_000)

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

async function nslookup(name: string): Promise<string> {
  const process = await cluster.nodeApi.exec('default', 'client', {
    command: ['nslookup', '-type=a', name],
    stdin: false,
    stdout: true,
    stderr: true,
    tty: false,
  })
  let output = ''
  process.onOutput((_stream, data) => {
    output += Buffer.from(data).toString()
  })
  for (let step = 0; step < 25; step++) await cluster.advance(1000)
  return output.replace(/^Server:.*\nAddress:.*\n\n/, '').trim()
}

const configMap = '/api/v1/namespaces/kube-system/configmaps/coredns'
const own = async () => ((await cluster.request({ method: 'GET', path: configMap })).body as { data: { Corefile: string } }).data.Corefile

async function change(Corefile: string): Promise<void> {
  await cluster.request({ method: 'PATCH', path: configMap, body: { data: { Corefile } } })
  await cluster.advance(180_000)
}

async function logs(): Promise<string> {
  const { items } = (await cluster.request({ method: 'GET', path: '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns' }))
    .body as { items: { metadata: { name: string } }[] }
  let all = ''
  for (const { metadata } of items) {
    const parts = await Array.fromAsync(await cluster.nodeApi.logs('kube-system', metadata.name, {}, new AbortController().signal))
    all += Buffer.concat(parts).toString()
  }
  return all
}

describe('a Corefile', () => {
  test.each([
    ['.:53 {\n    errors\n    helth\n    forward . 8.8.8.8\n}\n', 3, "Error during parsing: Unknown directive 'helth'"],
    ['.:53 {\n    errors\n    forward . 8.8.8.8\n', 3, "Syntax error: Unexpected token '8.8.8.8', expecting '}'"],
    ['.:53 {\n    errors\n    forward .\n}\n', 3, "Error during parsing: Wrong argument count or unexpected line ending after '.'"],
  ])('%j is not one', (text, line, message) => {
    expect(() => parseCorefile(text)).toThrow(CorefileFault)
    expect(() => parseCorefile(text)).toThrow(expect.objectContaining({ line, message }))
  })

  test('is the one that kubeadm writes', async () => {
    const [block] = parseCorefile(await own())
    expect(block?.zones).toEqual([''])
    expect(block?.directives.map(({ name }) => name)).toEqual(
      'errors health ready kubernetes prometheus forward cache loop reload loadbalance'.split(' '),
    )
  })
})

test('what is written into the ConfigMap is answered a little later, and what is no Corefile is not taken', async () => {
  const before = await own()
  expect(await logs()).toMatch(/^\.:53\n\[INFO\] plugin\/reload: Running configuration SHA512 = [0-9a-f]{128}\nCoreDNS-1\.12\.1\n/)
  const added = `    log
    rewrite name old.example.com kubernetes.default.svc.cluster.local
    hosts {
      10.1.2.3 db.example.com
      fallthrough
    }
    forward`
  await change(`${before.replace('    forward', added)}stub.local:53 {\n    hosts {\n      10.9.9.9 a.stub.local\n    }\n}\n`)
  expect(await nslookup('db.example.com')).toBe('Name:\tdb.example.com\nAddress: 10.1.2.3')
  expect(await nslookup('old.example.com')).toBe('Name:\told.example.com\nAddress: 10.96.0.1')
  expect(await nslookup('a.stub.local')).toBe('Name:\ta.stub.local\nAddress: 10.9.9.9')
  expect(await nslookup('kubernetes.default.svc.cluster.local')).toContain('Address: 10.96.0.1')
  expect(await logs()).toMatch(/\[INFO\] 10\.244\.0\.\d+:\d+ - \d+ "A IN db\.example\.com\. udp 32 false 512" NOERROR qr,aa,rd /)
  await change(before.replace('errors', 'erors'))
  expect(await logs()).toContain("[ERROR] Restart failed: /etc/coredns/Corefile:2 - Error during parsing: Unknown directive 'erors'")
  expect(await nslookup('db.example.com')).toContain('10.1.2.3')
  const path = '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns'
  await cluster.request({ method: 'DELETE', path })
  await cluster.advance(120_000)
  expect(await nslookup('kubernetes.default.svc.cluster.local')).toContain('no servers could be reached')
  await change(before)
  await cluster.advance(400_000)
  expect(await nslookup('kubernetes.default.svc.cluster.local')).toContain('Address: 10.96.0.1')
})
