import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Container, PodSpec, Volume } from '../schema/types/core.v1.ts'

/** Volumes as containers see them; what is expected was seen on a real kubelet 1.34 with containerd. */
const start = Date.parse('2030-01-01T00:00:00Z')

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.open({ nodes: 1, clock: { start, rate: 0 } })
  await cluster.advance(30_000)
  await make('configmaps', { kind: 'ConfigMap', metadata: { name: 'cm' }, data: { a: '1', b: '2' } })
  await make('secrets', { kind: 'Secret', metadata: { name: 's' }, data: { key: Buffer.from('value').toString('base64') } })
  return () => cluster[Symbol.asyncDispose]()
})

describe('who a container is', () => {
  test.each([
    [{ runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000] }, 'uid=1000 gid=3000 groups=2000,3000,4000'],
    [{ runAsUser: 65534, runAsGroup: 3000, fsGroup: 2000 }, 'uid=65534(nobody) gid=3000 groups=2000,3000'],
    [{ runAsUser: 1000 }, 'uid=1000 gid=0(root) groups=0(root)'],
    [{ runAsUser: 0, runAsGroup: 0, fsGroup: 2000 }, 'uid=0(root) gid=0(root) groups=0(root),2000'],
  ])('%j', async (securityContext, expected) => {
    expect(await output('id', { securityContext })).toBe(`${expected}\n`)
  })
})

describe('modes and owners', () => {
  const volumes: Volume[] = [
    { name: 'e', emptyDir: {} },
    { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '10Mi' } },
    { name: 'c', configMap: { name: 'cm', defaultMode: 0o400 } },
    { name: 's', secret: { secretName: 's' } },
    { name: 'p', projected: { sources: [{ configMap: { name: 'cm', items: [{ key: 'a', path: 'd/a', mode: 0o444 }] } }] } },
  ]
  const mounts = [
    { name: 'e', mountPath: '/v/e' },
    { name: 'e', mountPath: '/v/es', subPath: 'x/y' },
    { name: 'm', mountPath: '/v/m' },
    { name: 'c', mountPath: '/v/c' },
    { name: 'c', mountPath: '/v/cf', subPath: 'a' },
    { name: 's', mountPath: '/v/s' },
    { name: 'p', mountPath: '/v/p' },
    { name: 'p', mountPath: '/v/pd', subPath: 'd' },
  ]
  const list = "for f in /v/* /v/c/a /v/s/key /v/p/d/a; do stat -L -c '%A %u %g %n' $f; done"

  test('without an fsGroup all is root', async () => {
    expect(lines(await output(list, {}, volumes, mounts))).toEqual([
      'drwxrwxrwx 0 0 /v/c',
      '-r-------- 0 0 /v/cf',
      'drwxrwxrwx 0 0 /v/e',
      'drwxrwxrwx 0 0 /v/es',
      'drwxrwxrwt 0 0 /v/m',
      'drwxrwxrwt 0 0 /v/p',
      'drwxr-xr-x 0 0 /v/pd',
      'drwxrwxrwt 0 0 /v/s',
      '-r-------- 0 0 /v/c/a',
      '-rw-r--r-- 0 0 /v/s/key',
      '-r--r--r-- 0 0 /v/p/d/a',
    ])
  })

  test('an fsGroup owns everything, and what is made in it', async () => {
    const securityContext = { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000 }
    const make = "umask 022; touch /v/e/f; mkdir /v/e/dd; stat -c '%A %u %g %n' /v/e/f /v/e/dd; cat /v/c/a"
    expect(lines(await output(`${list}; ${make}`, { securityContext }, volumes, mounts))).toEqual([
      'drwxrwsrwx 0 2000 /v/c',
      '-r--r----- 0 2000 /v/cf',
      'drwxrwsrwx 0 2000 /v/e',
      'drwxrwsrwx 0 2000 /v/es',
      'drwxrwsrwt 0 2000 /v/m',
      'drwxrwsrwt 0 2000 /v/p',
      'drwxr-sr-x 0 2000 /v/pd',
      'drwxrwsrwt 0 2000 /v/s',
      '-r--r----- 0 2000 /v/c/a',
      '-rw-r--r-- 0 2000 /v/s/key',
      '-r--r--r-- 0 2000 /v/p/d/a',
      '-rw-r--r-- 1000 2000 /v/e/f',
      'drwxr-sr-x 1000 2000 /v/e/dd',
      '1',
    ])
  })

  test('a user who is not in the group of a 0400 file cannot read it', async () => {
    expect(await output('cat /v/c/a || true', { securityContext: { runAsUser: 1000 } }, volumes, mounts)).toContain('Permission denied')
  })

  test.each([
    [{ runAsUser: 1000 }, '-rw------- 1000 0'],
    [{ fsGroup: 2000 }, '-rw-r----- 0 2000'],
    [{}, '-rw-r--r-- 0 0'],
  ])('the token of %j', async (securityContext, expected) => {
    const token = "stat -L -c '%A %u %g' /var/run/secrets/kubernetes.io/serviceaccount/token"
    expect(await output(token, { securityContext })).toBe(`${expected}\n`)
  })

  test('Secrets, projections and Memory lie on tmpfs, with the size that was asked for', async () => {
    const command = "grep ' /v/' /proc/mounts | cut -d' ' -f2,3 | sort; head -c 11000000 /dev/zero > /v/m/big || true"
    const shown = lines(await output(command, {}, volumes, mounts))
    const tmpfs = shown.filter((line) => line.endsWith(' tmpfs')).map((line) => line.split(' ')[0])
    expect(tmpfs).toEqual(['/v/m', '/v/p', '/v/pd', '/v/s'])
    expect(shown.at(-1)).toContain('No space left on device')
  })
})

describe('hostPath', () => {
  test('is one tree for all pods of a node, whatever the depth at which they mount it', async () => {
    const at = (path: string, type?: string): Volume[] => [{ name: 'h', hostPath: { path, type } }]
    const mounts = [{ name: 'h', mountPath: '/h' }]
    await output('mkdir -p /h/deep && echo hello > /h/deep/file', {}, at('/data/shared', 'DirectoryOrCreate'), mounts)
    expect(await output('cat /h/file', {}, at('/data/shared/deep', 'Directory'), mounts)).toBe('hello\n')
    expect(await output('cat /h', {}, at('/data/shared/deep/file', 'File'), mounts)).toBe('hello\n')
  })

  test.each([
    ['Directory', '/nowhere', 'is not a directory'],
    ['File', '/tmp', 'is not a file'],
    ['Socket', '/run/none.sock', 'is not a socket file'],
    ['CharDevice', '/dev/none', 'is not a character device'],
  ])('of type %s does not mount %s', async (type, path, said) => {
    const name = await pod('true', {}, [{ name: 'h', hostPath: { path, type } }], [{ name: 'h', mountPath: '/h' }])
    await cluster.advance(10_000)
    const events = await cluster.request({
      method: 'GET',
      path: `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=${name}`,
    })
    const messages = (events.body as { items: { reason: string; message: string }[] }).items.filter(
      ({ reason }) => reason === 'FailedMount',
    )
    expect(messages[0]?.message).toBe(`MountVolume.SetUp failed for volume "h" : hostPath type check failed: ${path} ${said}`)
  })
})

test('modes and owners are the same after a fork', async () => {
  const volumes: Volume[] = [{ name: 'm', emptyDir: { medium: 'Memory' } }]
  const mounts = [{ name: 'm', mountPath: '/m' }]
  const command = "sleep 60; stat -c '%A %u %g' /m; grep ' /m ' /proc/mounts | cut -d' ' -f3"
  const name = await pod(command, { securityContext: { fsGroup: 2000 } }, volumes, mounts)
  await cluster.advance(20_000)
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await fork.advance(70_000)
  expect(await logs(fork, name)).toBe('drwxrwsrwt 0 2000\ntmpfs\n')
})

let made = 0

async function pod(command: string, spec: Partial<PodSpec>, volumes: Volume[] = [], volumeMounts: Container['volumeMounts'] = []) {
  const name = `pod-${++made}`
  const containers = [{ name: 'c', image: 'busybox:1.36', command: ['sh', '-c', `(${command}) 2>&1`], volumeMounts }]
  await make('pods', { kind: 'Pod', metadata: { name }, spec: { restartPolicy: 'Never', ...spec, volumes, containers } })
  return name
}

/** What a pod prints that runs a command to its end. */
async function output(...args: Parameters<typeof pod>): Promise<string> {
  const name = await pod(...args)
  await cluster.advance(20_000)
  const { body } = await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/pods/${name}` })
  expect((body as { status: object }).status).toMatchObject({ phase: 'Succeeded' })
  return logs(cluster, name)
}

async function logs(of: Cluster, name: string): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of await of.nodeApi.logs('default', name, {}, new AbortController().signal)) parts.push(part)
  return Buffer.concat(parts).toString()
}

async function make(plural: string, object: object): Promise<void> {
  const answer = await cluster.request({
    method: 'POST',
    path: `/api/v1/namespaces/default/${plural}`,
    body: { apiVersion: 'v1', ...object },
  })
  expect(answer).toMatchObject({ status: 201 })
}

function lines(text: string): string[] {
  return text.trimEnd().split('\n')
}
