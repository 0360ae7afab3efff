import { expect, test } from 'vitest'
import type { Cluster } from '../cluster.ts'
import { nodeCluster } from './testing/node-cluster.ts'

const node = 'labernetes-control-plane'
const container = (name: string, securityContext: object = {}) => ({
  name,
  image: 'busybox:1.36',
  command: ['sh', '-c', 'sleep 10000; echo $$'],
  securityContext,
})
const sees = {
  hostPID: true,
  terminationGracePeriodSeconds: 30,
  containers: [container('plain'), container('user', { runAsUser: 1000 }), container('all', { privileged: true })],
}

test("a container in the node's namespace of processes sees what runs there, under the same numbers", async () => {
  const { cluster, create, shell } = await nodeCluster(1)
  await create('looks', sees)
  await cluster.advance(5_000)
  const ps = await inside(cluster, 'plain', 'ps')
  expect(ps).toMatch(/^PID {3}USER {5}COMMAND\n {4}1 root {5}\{systemd\} \/sbin\/init\n/)
  expect(ps).toMatch(/\n +\d+ 65535 {4}\/pause\n/)
  expect(ps).toMatch(/\n +\d+ root {5}\/usr\/bin\/kubelet --bootstrap/)
  expect(ps).toMatch(/\n +\d+ 1000 {5}sh -c sleep 10000/)
  const numbers = ps
    .split('\n')
    .slice(1, -1)
    .map((line) => Number(line.slice(0, 5)))
  expect(new Set(numbers).size).toBe(numbers.length)
  const onNode = await shell(node, "pgrep -f 'sleep 10000; echo' | head -1; pidof kubelet")
  expect(await inside(cluster, 'plain', "pgrep -f 'sleep 10000; echo' | head -1; pidof kubelet")).toBe(onNode.text)
  const [own] = onNode.text.split('\n')
  expect(await inside(cluster, 'plain', `tr '\\0' ' ' < /proc/${own}/cmdline; cat /proc/1/comm; ps -o pid,ppid | grep -c '^ *1 '`)).toBe(
    'sh -c sleep 10000; echo $ systemd\n1\n',
  )
  expect(await inside(cluster, 'plain', 'echo $$; cat /proc/self/stat | cut -d" " -f1')).toMatch(/^(\d{3,})\n\d{3,}\n$/)
})

test("what is the node's own it may look into and enter only with the capabilities for it", async () => {
  const { cluster, create } = await nodeCluster(1)
  await create('looks', sees)
  await cluster.advance(5_000)
  for (const name of ['plain', 'user']) {
    expect(
      await inside(cluster, name, 'ls /proc/1/root/; cat /proc/1/environ; readlink /proc/1/exe; chroot /proc/1/root hostname'),
    ).toMatch(
      /^ls: \/proc\/1\/root\/: Permission denied\ncat: can't open '\/proc\/1\/environ': Permission denied\nchroot: can't change root directory to '\/proc\/1\/root': Permission denied\n$/,
    )
    expect(await inside(cluster, name, 'nsenter -t 1 -m -u hostname; echo $?')).toBe(
      "nsenter: can't open '/proc/1/ns/uts': Permission denied\n1\n",
    )
  }
  expect(await inside(cluster, 'user', 'kill 1; pid=$(pidof kubelet); kill $pid')).toMatch(
    /^(sh: can't kill pid \d+: Operation not permitted\n){2}$/,
  )
  expect(
    await inside(
      cluster,
      'all',
      'ls -l /proc/1/exe | sed "s/.* -> //"; ls /proc/1/root/etc/kubernetes | head -1; chroot /proc/1/root hostname',
    ),
  ).toBe('/usr/lib/systemd/systemd\nadmin.conf\nlooks\n')
  expect(await inside(cluster, 'all', 'nsenter -t 1 -m -u -i -n -p -- hostname')).toBe(`${node}\n`)
  const entered = await inside(
    cluster,
    'all',
    'nsenter -t 1 -m -u -i -n -p -- sh -c "ip route | head -1; crictl pods -q | wc -l; systemctl is-active kubelet"',
  )
  expect(entered).toMatch(/^default via \S+ dev eth0 ?\n\d+\nactive\n$/)
})

test('its processes end as others do: by a signal that the first of them does not handle, all with the first, in forks too', async () => {
  const { cluster, create, pod, shell } = await nodeCluster(1)
  await create('looks', sees)
  await cluster.advance(5_000)
  const before = await shell(node, "pgrep -f 'sleep 10000; echo'")
  await using fork = await cluster.fork()
  await fork.advance(1_000)
  expect(await inside(fork, 'plain', "pgrep -f 'sleep 10000; echo'")).toBe(before.text)
  const [first] = before.text.split('\n')
  expect(await inside(cluster, 'all', `kill ${first}; echo $?`)).toBe('0\n')
  await cluster.advance(3_000)
  const status = pod('looks')?.status?.containerStatuses?.find(({ restartCount }) => restartCount > 0)
  expect(status?.lastState?.terminated?.exitCode).toBe(143)
  const started = cluster.clock.now()
  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/looks' })
  while (pod('looks')) await cluster.advance(500)
  expect(cluster.clock.now() - started).toBeLessThan(5_000)
  expect((await shell(node, 'pgrep -fc "sleep 10000; echo"; ls /proc | grep -c .')).text).not.toContain('sleep')
})

async function inside(cluster: Cluster, container: string, command: string): Promise<string> {
  const process = await cluster.nodeApi.exec('default', 'looks', {
    container,
    command: ['sh', '-c', command],
    tty: false,
    stdin: false,
    stdout: true,
    stderr: true,
  })
  let text = ''
  process.onOutput((_stream, data) => {
    text += Buffer.from(data).toString()
  })
  let ended = false
  void process.exited.then(() => {
    ended = true
  })
  for (let step = 0; !ended && step < 100; step++) await cluster.advance(100)
  return text
}
