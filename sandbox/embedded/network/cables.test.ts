import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { embeddedCluster } from '../stories/embedded-cluster.ts'

/** Pairs of veths of which somebody has moved one end into a pod's network namespace. */
const node = 'labernetes-control-plane'
const pods = '/api/v1/namespaces/default/pods'
const errors: unknown[] = []
/** The number of the pod's process on the node. */
const pid = `$(crictl inspect --output json $(crictl ps --name sleeper -q) | grep -m1 '"pid"' | tr -dc 0-9)`
let cluster: Cluster

beforeAll(async () => {
  const start = Date.parse('2030-01-01T00:00:00Z')
  cluster = await Cluster.open({ nodes: 1, clock: { start, rate: 0 }, report: (...error) => errors.push(error) })
  await cluster.advance(20_000)
  const spec = { terminationGracePeriodSeconds: 1, containers: [{ name: 'sleeper', image: 'busybox:1.36', command: ['sleep', '1000000'] }] }
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'sleeper' }, spec }
  expect(await cluster.request({ method: 'POST', path: pods, body })).toMatchObject({ status: 201 })
  await cluster.advance(10_000)
  expect(await on(`ip link add outside type veth peer name inside; ip link set inside netns ${pid}`)).toBe('')
  expect(await on(`ip addr add 192.168.77.1/24 dev outside; ip link set outside up`)).toBe('')
  expect(await on(`nsenter -t ${pid} -n sh -c 'ip addr add 192.168.77.2/24 dev inside; ip link set inside up'`)).toBe('')
}, 60_000)

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

test('both ends hear each other, and in a fork too', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  for (const where of [cluster, fork]) {
    expect(await on('ping -c 1 -W 1 192.168.77.2 > /dev/null && echo heard', where)).toBe('heard\n')
    expect(await on('crictl exec $(crictl ps --name sleeper -q) ping -c 1 -W 1 192.168.77.1 > /dev/null && echo heard', where)).toBe(
      'heard\n',
    )
    expect(await on('crictl exec $(crictl ps --name sleeper -q) ping -c 1 -W 1 192.168.77.2 > /dev/null && echo heard', where)).toBe(
      'heard\n',
    )
  }
})

test('without the one end there is no way to the other', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  const seen = 'crictl exec $(crictl ps --name sleeper -q) ip link | grep -c inside'
  expect(await on(seen, fork)).toBe('1\n')
  await on('ip link set outside down', fork)
  expect(await on('ping -c 1 -W 1 192.168.77.2 > /dev/null || echo silent', fork)).toBe('silent\n')
  expect(await on(`ip link del outside; ${seen}`, fork)).toBe('0\n')
})

test('a pod takes with it what was moved into it', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await fork.request({ method: 'DELETE', path: `${pods}/sleeper` })
  await fork.advance(20_000)
  expect(await on('ip link show outside', fork)).toBe('Device "outside" does not exist.\n')
})

/** What a line of shell prints on the node, errors too. */
function on(line: string, where = cluster): Promise<string> {
  return embeddedCluster(where).onNode(node, line)
}
