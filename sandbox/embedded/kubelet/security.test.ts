import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Container, Pod, PodSpec } from '../schema/types/core.v1.ts'

/** Security contexts, runtime classes and mounts in a whole cluster: what a container sees of them. */
const busybox = (script: string, more: Partial<Container> = {}): PodSpec => ({
  restartPolicy: 'Never',
  containers: [{ name: 'main', image: 'busybox:1.37', command: ['sh', '-c', script], ...more }],
})

test('the sysctls of a pod are what its containers read; unsafe ones are turned away by the kubelet, malformed ones by the API', async () => {
  await using cluster = await opened()
  const sysctls = [{ name: 'kernel/shm_rmid_forced', value: '1' }]
  await create(cluster, 'safe', {
    ...busybox('sysctl kernel.shm_rmid_forced; cat /proc/sys/net/ipv4/tcp_fin_timeout; sysctl -w kernel.msgmax=1'),
    securityContext: { sysctls },
  })
  await create(cluster, 'unsafe', { ...busybox('true'), securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } })
  await cluster.advance(15_000)
  expect(await log(cluster, 'safe')).toBe(
    "kernel.shm_rmid_forced = 1\n60\nsysctl: error setting key 'kernel.msgmax': Read-only file system\n",
  )
  expect((await pod(cluster, 'unsafe')).status).toMatchObject({
    phase: 'Failed',
    reason: 'SysctlForbidden',
    message: 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted',
  })
  const bad = await post(cluster, 'bad', { ...busybox('true'), securityContext: { sysctls: [{ name: 'bar..', value: '1' }] } })
  expect(bad.body).toMatchObject({
    code: 422,
    message: expect.stringContaining('spec.securityContext.sysctls[0].name: Invalid value: "bar.."'),
  })
})

test('a set-user-ID program gives root, but not where privileges must not grow', async () => {
  await using cluster = await opened()
  const run = (securityContext: object): PodSpec => ({
    restartPolicy: 'Never',
    containers: [
      { name: 'main', image: 'registry.k8s.io/e2e-test-images/nonewprivs:1.3', securityContext: { runAsUser: 1000, ...securityContext } },
    ],
  })
  await create(cluster, 'open', run({}))
  await create(cluster, 'closed', run({ allowPrivilegeEscalation: false }))
  await cluster.advance(15_000)
  expect(await log(cluster, 'open')).toBe('Effective uid: 0\n')
  expect(await log(cluster, 'closed')).toBe('Effective uid: 1000\n')
})

test('last words go where the spec says, also from an ordinary user', async () => {
  await using cluster = await opened()
  const more = { terminationMessagePath: '/dev/last-words', securityContext: { runAsUser: 1000 } }
  await create(cluster, 'words', busybox('echo -n DONE > /dev/last-words', more))
  await cluster.advance(15_000)
  expect((await pod(cluster, 'words')).status?.containerStatuses?.[0]?.state?.terminated?.message).toBe('DONE')
})

test.each([
  ['..', "unable to provision SubPath `..`: must not contain '..'"],
  ['/tmp', 'error SubPath `/tmp` must not be an absolute path'],
  ['', 'missing value for PART'],
])('a subPathExpr that becomes %j is a CreateContainerConfigError', async (value, message) => {
  await using cluster = await opened()
  const volumeMounts = [{ name: 'work', mountPath: '/work', subPathExpr: '$(PART)' }]
  const spec = { ...busybox('true', { env: [{ name: 'PART', value }], volumeMounts }), volumes: [{ name: 'work', emptyDir: {} }] }
  await create(cluster, 'sub', spec)
  await cluster.advance(15_000)
  expect((await pod(cluster, 'sub')).status?.containerStatuses?.[0]?.state?.waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message,
  })
})

test('a RuntimeClass gives overhead and nodes; an unknown class is refused, an unknown handler makes no sandbox', async () => {
  await using cluster = await opened()
  const known = {
    handler: 'runc',
    overhead: { podFixed: { cpu: '10m' } },
    scheduling: { nodeSelector: { disk: 'fast' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] },
  }
  for (const [name, body] of Object.entries({ known, odd: { handler: 'kata' } })) {
    const object = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, ...body }
    await cluster.request({ method: 'POST', path: '/apis/node.k8s.io/v1/runtimeclasses', body: object })
  }
  const made = await post(cluster, 'known', { ...busybox('true'), runtimeClassName: 'known', nodeSelector: { zone: 'a' } })
  expect((made.body as Pod).spec).toMatchObject({ overhead: { cpu: '10m' }, nodeSelector: { zone: 'a', disk: 'fast' } })
  expect((made.body as Pod).spec?.tolerations).toContainEqual({ key: 'gpu', operator: 'Exists' })
  const missing = await post(cluster, 'missing', { ...busybox('true'), runtimeClassName: 'nope' })
  expect(missing.body).toMatchObject({ code: 403, message: 'pods "missing" is forbidden: pod rejected: RuntimeClass "nope" not found' })
  const clash = await post(cluster, 'clash', { ...busybox('true'), runtimeClassName: 'known', nodeSelector: { disk: 'slow' } })
  expect(clash.body).toMatchObject({ code: 403 })
  await create(cluster, 'odd', { ...busybox('true'), runtimeClassName: 'odd' })
  await cluster.advance(5000)
  const { body } = await cluster.request({
    method: 'GET',
    path: '/api/v1/namespaces/default/events?fieldSelector=reason=FailedCreatePodSandBox',
  })
  expect((body as { items: { message: string }[] }).items[0]?.message).toContain('no runtime for "kata" is configured')
})

test("/etc/hosts is the kubelet's in the pod network and the node's own in its network; a hostPath shows the node's", async () => {
  await using cluster = await opened()
  const spec = {
    ...busybox('head -1 /etc/hosts; tail -1 /node-hosts', { volumeMounts: [{ name: 'node', mountPath: '/node-hosts' }] }),
    volumes: [{ name: 'node', hostPath: { path: '/etc/hosts', type: 'FileOrCreate' } }],
  }
  await create(cluster, 'own', spec)
  await create(cluster, 'host', { ...spec, hostNetwork: true })
  await cluster.advance(15_000)
  expect(await log(cluster, 'own')).toMatch(/^# Kubernetes-managed hosts file\.\n172\.18\.0\.2\tlabernetes-control-plane\n$/)
  expect(await log(cluster, 'host')).toMatch(
    /^# Kubernetes-managed hosts file \(host network\)\.\n172\.18\.0\.2\tlabernetes-control-plane\n$/,
  )
})

test("a debugger sees its target's processes and files, and ends with it; a pod may share them among all", async () => {
  await using cluster = await opened()
  await create(cluster, 'web', { containers: [{ name: 'web', image: 'nginx:1.27' }], terminationGracePeriodSeconds: 1 })
  await cluster.advance(15_000)
  const debug = { name: 'debug', image: 'busybox:1.37', command: ['sh', '-c', 'ps; ls /proc/1/root/usr/share/nginx/html; sleep 1000'] }
  const ephemeralContainers = [{ ...debug, targetContainerName: 'web' }]
  const path = '/api/v1/namespaces/default/pods/web/ephemeralcontainers'
  await cluster.request({
    method: 'PATCH',
    path,
    contentType: 'application/strategic-merge-patch+json',
    body: { spec: { ephemeralContainers } },
  })
  await cluster.advance(5000)
  const seen = await log(cluster, 'web', 'debug')
  expect(seen).toMatch(/^ +1 root +nginx: master process/m)
  expect(seen).toContain('index.html')
  const killer = await cluster.nodeApi.exec('default', 'web', {
    container: 'debug',
    command: ['kill', '-QUIT', '1'],
    stdin: false,
    stdout: true,
    stderr: true,
    tty: false,
  })
  await cluster.advance(5000)
  expect((await killer.exited).exitCode).toBe(0)
  const { containerStatuses, ephemeralContainerStatuses } = (await pod(cluster, 'web')).status ?? {}
  expect(containerStatuses?.[0]?.restartCount).toBe(1)
  expect(ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(137)

  const containers = ['one', 'two'].map((name) => ({
    name,
    image: 'busybox:1.37',
    command: ['sh', '-c', `: ${name}; sleep 5; ps; sleep 1000`],
  }))
  await create(cluster, 'shared', { shareProcessNamespace: true, containers })
  await cluster.advance(20_000)
  const rows = (await log(cluster, 'shared', 'two')).split('\n').map((row) => row.trim().split(/ +/).slice(2).join(' '))
  expect(rows).toEqual(expect.arrayContaining(['/pause', 'sleep 1000', expect.stringMatching(/^sh -c : two/)]))
})

test('an image that nobody here knows says so in an event and in its log, once a container', async () => {
  await using cluster = await opened()
  await create(cluster, 'odd', { containers: [{ name: 'main', image: 'ghcr.io/team/api:2.1' }] })
  await cluster.advance(30_000)
  const { body } = await cluster.request({ method: 'GET', path: '/api/v1/namespaces/default/events?fieldSelector=reason=UnknownImage' })
  const { items } = body as { items: { message: string; count: number }[] }
  expect(items).toEqual([expect.objectContaining({ count: 1, message: expect.stringMatching(/ghcr\.io\/team\/api:2\.1.*kind engine/) })])
  expect(await log(cluster, 'odd')).toContain('kind engine')
})

test('names that no variable can have pass through a shell', async () => {
  await using cluster = await opened()
  await create(
    cluster,
    'env',
    busybox('env | grep data', {
      env: [
        { name: 'data-1', value: 'one' },
        { name: '9.data', value: 'two' },
      ],
    }),
  )
  await cluster.advance(15_000)
  expect((await log(cluster, 'env')).split('\n').sort()).toEqual(['', '9.data=two', 'data-1=one'])
})

async function opened(): Promise<Cluster> {
  const cluster = await Cluster.open({ nodes: 1, clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  await cluster.advance(2000)
  return cluster
}

function post(cluster: Cluster, name: string, spec: PodSpec) {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
  return cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })
}

async function create(cluster: Cluster, name: string, spec: PodSpec): Promise<void> {
  const { status, body } = await post(cluster, name, spec)
  expect([status, (body as { message?: string }).message]).toEqual([201, undefined])
}

async function pod(cluster: Cluster, name: string): Promise<Pod> {
  return (await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/pods/${name}` })).body as Pod
}

async function log(cluster: Cluster, name: string, container?: string): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of await cluster.nodeApi.logs('default', name, container ? { container } : {}, new AbortController().signal))
    parts.push(part)
  return Buffer.concat(parts).toString()
}
