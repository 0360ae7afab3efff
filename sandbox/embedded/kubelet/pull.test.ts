import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Event, Pod } from '../schema/types/core.v1.ts'

/** What these Pods' events and states said on a kind cluster (containerd 2), and a registry of the model that wants a password. */
let cluster: Cluster
const errors: unknown[] = []

beforeAll(async () => {
  cluster = await Cluster.open({
    nodes: 2,
    clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 },
    report: (where, error) => errors.push([where, error]),
  })
  await cluster.advance(10_000)
})

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

async function run(
  name: string,
  image: string,
  spec: object = {},
  policy?: string,
  ms = 8000,
): Promise<{ waiting: unknown; events: string[] }> {
  const container = { name: 'c', image, command: ['sleep', '1000000'], ...(policy && { imagePullPolicy: policy }) }
  const pods = '/api/v1/namespaces/default/pods'
  const body = { metadata: { name }, spec: { containers: [container], ...spec } }
  expect((await cluster.request({ method: 'POST', path: pods, body })).status).toBe(201)
  await cluster.advance(ms)
  const pod = (await cluster.request({ method: 'GET', path: `${pods}/${name}` })).body as Pod
  const list = (
    await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=${name}` })
  ).body as { items: Event[] }
  return {
    waiting: pod.status?.containerStatuses?.[0]?.state?.waiting,
    events: list.items.map(({ type, reason, message }) => `${type} ${reason}: ${message}`).filter((text) => !text.includes('Scheduled')),
  }
}

test.each([
  ['Nginx:UPPER case', ': repository name (library/Nginx) must be lowercase'],
  ['NGINX', ': repository name (library/NGINX) must be lowercase'],
  ['nginx@sha256:0000', ''],
])('a name that is none: %s', async (image, why) => {
  const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format${why}`
  const { waiting, events } = await run(`invalid-${why.length}-${image.length}`, image)
  expect(waiting).toEqual({ reason: 'InvalidImageName', message })
  expect(events).toEqual([`Warning InspectFailed: ${message}`, 'Warning Failed: Error: InvalidImageName'])
})

test('an image that is not there and must not be pulled', async () => {
  const message = 'Container image "nginx:1.26" is not present with pull policy of Never'
  const { waiting, events } = await run('never', 'nginx:1.26', {}, 'Never')
  expect(waiting).toEqual({ reason: 'ErrImageNeverPull', message })
  expect(events).toEqual([`Warning ErrImageNeverPull: ${message}`, 'Warning Failed: Error: ErrImageNeverPull'])
})

test('a secret that is not there, and a registry that is not', async () => {
  const { waiting, events } = await run(
    'nohost',
    'registry.invalid/secret:1',
    { imagePullSecrets: [{ name: 'nothere' }] },
    undefined,
    25_000,
  )
  const why =
    'failed to pull and unpack image "registry.invalid/secret:1": failed to resolve reference "registry.invalid/secret:1": failed to do request: Head "https://registry.invalid/v2/secret/manifests/1": dial tcp: lookup registry.invalid on 172.18.0.1:53: no such host'
  expect(events).toEqual([
    'Warning FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (nothere); attempting to pull the image may not succeed.',
    'Normal Pulling: Pulling image "registry.invalid/secret:1"',
    `Warning Failed: Failed to pull image "registry.invalid/secret:1": ${why}`,
    'Warning Failed: Error: ErrImagePull',
    'Normal BackOff: Back-off pulling image "registry.invalid/secret:1"',
    'Warning Failed: Error: ImagePullBackOff',
  ])
  expect(waiting).toEqual({
    reason: 'ImagePullBackOff',
    message: `Back-off pulling image "registry.invalid/secret:1": ErrImagePull: ${why}`,
  })
})

test('a private registry gives its images to who is known there', async () => {
  const secret = async (name: string, password: string) => {
    const auths = { 'registry.example.com': { auth: Buffer.from(`learner:${password}`).toString('base64') } }
    const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') }
    const body = { metadata: { name }, type: 'kubernetes.io/dockerconfigjson', data }
    await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/secrets', body })
  }
  await secret('right', 'kubernetes')
  await secret('wrong', 'guess')
  const image = 'registry.example.com/team/nginx:1.27'
  const start = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": `
  const pull = (name: string, secrets: string[]) => run(name, image, { imagePullSecrets: secrets.map((each) => ({ name: each })) })
  expect((await pull('stranger', [])).waiting).toMatchObject({
    message: expect.stringContaining(
      `${start}pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`,
    ),
  })
  expect((await pull('mistaken', ['wrong'])).waiting).toMatchObject({
    message: expect.stringContaining(
      `${start}unexpected status from HEAD request to https://registry.example.com/v2/team/nginx/manifests/1.27: 401 Unauthorized`,
    ),
  })
  const { waiting, events } = await pull('known', ['right'])
  expect(waiting).toBeUndefined()
  expect(events[1]).toMatch(/^Normal Pulled: Successfully pulled image "registry.example.com\/team\/nginx:1.27" in [\d.]+m?s /)
})

test('a node pulls one image after the other, and has its own', async () => {
  const placed = { nodeName: 'labernetes-worker' }
  const body = (name: string, image: string, nodeName: string) => ({
    metadata: { name },
    spec: { nodeName, containers: [{ name: 'c', image, command: ['sleep', '100000'] }] },
  })
  const pods = '/api/v1/namespaces/default/pods'
  for (const [name, image] of [
    ['first', 'python:3.12'],
    ['second', 'mysql:8'],
  ] as const) {
    await cluster.request({ method: 'POST', path: pods, body: body(name, image, placed.nodeName) })
  }
  await cluster.advance(20_000)
  const pulled = async (name: string) => {
    const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=${name}`
    const { items } = (await cluster.request({ method: 'GET', path })).body as { items: Event[] }
    return items.find(({ reason }) => reason === 'Pulled')?.message ?? ''
  }
  const seconds = (text: string | undefined) => Number(/^([\d.]+)s$/.exec(text ?? '')?.[1])
  const [, took, whole] = / in (\S+) \((\S+) including waiting\)/.exec(await pulled('second')) ?? []
  expect(seconds(whole)).toBeGreaterThan(seconds(took) + 1)
  await cluster.request({ method: 'POST', path: pods, body: body('elsewhere', 'python:3.12', 'labernetes-control-plane') })
  await cluster.advance(10_000)
  expect(await pulled('elsewhere')).toMatch(/^Successfully pulled image "python:3.12"/)
  await cluster.request({ method: 'POST', path: pods, body: body('again', 'python:3.12', placed.nodeName) })
  await cluster.advance(10_000)
  expect(await pulled('again')).toBe('Container image "python:3.12" already present on machine')
})

test('a kubelet that pulls side by side asks a registry no more often than its configuration lets it', async () => {
  const node = 'labernetes-control-plane'
  const shell = (command: string) => cluster.nodeShell(node, ['bash', '-c', command], { tty: false, stdin: false }).exited
  const changed = shell(
    'printf "maxParallelImagePulls: 20\\nregistryPullQPS: 1\\nregistryBurst: 2\\n" >> /var/lib/kubelet/config.yaml; systemctl restart kubelet',
  )
  let done = false
  void changed.then(() => {
    done = true
  })
  for (let step = 0; !done && step < 100; step++) await cluster.advance(100)
  await cluster.advance(5000)
  const containers = ['a', 'b', 'c', 'd'].map((name) => ({
    name,
    image: `node:2${name.charCodeAt(0) - 96}`,
    command: ['sleep', '1000000'],
  }))
  const pods = '/api/v1/namespaces/default/pods'
  for (const { name, image, command } of containers) {
    const body = { metadata: { name: `many-${name}` }, spec: { nodeName: node, containers: [{ name: 'c', image, command }] } }
    expect((await cluster.request({ method: 'POST', path: pods, body })).status).toBe(201)
  }
  await cluster.advance(120_000)
  const path = '/api/v1/namespaces/default/events'
  const said = ((await cluster.request({ method: 'GET', path })).body as { items: Event[] }).items
    .filter(({ involvedObject }) => involvedObject.name?.startsWith('many-'))
    .map(({ message }) => message ?? '')
  const refused = said.filter((message) => message.endsWith(': pull QPS exceeded') && message.startsWith('Failed to pull'))
  expect(refused).toHaveLength(2)
  for (const { name } of containers) {
    const { status } = (await cluster.request({ method: 'GET', path: `${pods}/many-${name}` })).body as Pod
    expect(status?.phase).toBe('Running')
  }
})
