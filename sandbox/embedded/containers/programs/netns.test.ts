import { expect, test } from 'vitest'
import { nodeCluster } from '../../kubelet/testing/node-cluster.ts'
import recorded from '../../network/fixtures/ip-netns.json' with { type: 'json' }

/** Without what the kernel chooses: numbers of devices, MACs, and IPv6 addresses, which are not modelled. */
const settled = (text: string) =>
  text
    .replace(/^\d+: /gm, 'N: ')
    .replace(/@if\d+/g, '@ifN')
    .replace(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC')
    .replace(/^ +inet6 .*\n +valid_lft.*\n/gm, '')
    .replace(/ fe80::\S+/g, '')
    .replace(/^(\S+) +(UP|DOWN|UNKNOWN) +/gm, '$1 $2 ')

test('ip says and does on a node what it does on a kind node, with namespaces and devices of ones own', async () => {
  const { shell } = await nodeCluster(1)
  const run = async (command: string) => (await shell('labernetes-control-plane', command)).text
  const differing = []
  for (const { command, output, exitCode } of recorded) {
    const answer = await run(`${command} 2>&1; echo "= $?"`)
    const expected = settled(`${output}= ${exitCode}\n`)
    if (settled(answer) !== expected) differing.push({ command, answer: settled(answer), expected })
  }
  expect(differing).toEqual([])
})

test('namespaces that are joined by a bridge reach each other, the node and what runs in them, until something is taken away', async () => {
  const { shell, cluster } = await nodeCluster(2)
  const node = 'labernetes-worker'
  const run = async (command: string) => (await shell(node, command)).text
  const made = await run(`set -e
ip link add br9 type bridge; ip addr add 10.9.0.1/24 dev br9; ip link set br9 up
for n in 2 3; do
  ip netns add n$n; ip link add v$n type veth peer name eth0 netns n$n
  ip link set v$n master br9; ip link set v$n up
  ip -n n$n link set lo up; ip -n n$n link set eth0 up; ip -n n$n addr add 10.9.0.$n/24 dev eth0
done`)
  expect(made).toBe('')
  const ping = async (from: string, to: string) => /(\d+)% packet loss/.exec(await run(`${from} ping -c1 -W1 ${to}`))?.[1] ?? 'error'
  expect(await ping('ip netns exec n2', '10.9.0.3')).toBe('0')
  expect(await ping('ip netns exec n2', '10.9.0.1')).toBe('0')
  expect(await ping('', '10.9.0.3')).toBe('0')
  expect(await ping('ip netns exec n2', '172.18.0.2')).not.toBe('0')
  await run('ip -n n2 route add default via 10.9.0.1')
  expect(await ping('ip netns exec n2', '172.18.0.3')).toBe('0')
  const asked = `(echo hello | timeout 5 ip netns exec n3 nc -l -p 8080 >/tmp/got &) ; sleep 1; ip netns exec n2 nc -w 2 10.9.0.3 8080 </dev/null`
  expect(await run(asked)).toBe('hello\n')
  expect(await run(`nc -w 1 -z 10.9.0.3 8081; echo $?`)).toBe('1\n')
  await run('ip link set v3 down')
  expect(await ping('ip netns exec n2', '10.9.0.3')).toBe('100')
  expect(await run('ip -n n3 -br link show eth0')).toContain('NO-CARRIER')
  await run('ip link set v3 up')
  expect(await ping('ip netns exec n2', '10.9.0.3')).toBe('0')

  await using copy = await cluster.fork()
  const kept = copy.nodeShell(node, ['bash', '-c', 'ip netns list | head -2; ip -n n3 -br addr show eth0'], { tty: false, stdin: false })
  let text = ''
  kept.onOutput((_stream, data) => {
    text += Buffer.from(data).toString()
  })
  await copy.advance(1000)
  expect(text).toMatch(/^n3\nn2\neth0@if\d+ +UP +10\.9\.0\.3\/24 \n$/)
  expect(await run('ip netns del n3; ip link show v3')).toContain('does not exist')
})

test("what is changed in a Pod's namespace counts: its device, its address, its routes; and can be mended", async () => {
  const { shell, create, pod, cluster } = await nodeCluster(2)
  await create('web', { nodeName: 'labernetes-worker' })
  await create('far', {
    nodeName: 'labernetes-control-plane',
    image: 'busybox:1.36',
    containers: [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '100000'] }],
  })
  await cluster.advance(20_000)
  const { uid } = pod('web')?.metadata ?? {}
  const address = pod('web')?.status?.podIP ?? ''
  const far = pod('far')?.status?.podIP ?? ''
  const run = async (command: string, node = 'labernetes-worker') => (await shell(node, command)).text
  const pid = (await run(`crictl inspect $(crictl ps -q --name c) | grep '"pid"' | head -1 | tr -dc 0-9`)).trim()
  const enter = `nsenter -t ${pid} -n`
  const answers = async () =>
    (await run(`curl -s -m 2 -o /dev/null http://${address} && echo yes || echo no`, 'labernetes-control-plane')).trim()
  const reaches = async () => /(\d+)% packet loss/.exec(await run(`${enter} ping -c1 -W1 ${far}`))?.[1] ?? 'error'
  expect(uid).toBeDefined()
  expect(await answers()).toBe('yes')
  expect(await reaches()).toBe('0')

  const route = (await run(`${enter} ip route show default`)).trim()
  await run(`${enter} ip route del default`)
  expect(await run(`${enter} ping -c1 -W1 ${far}`)).toBe('ping: connect: Network is unreachable\n')
  expect(await run(`${enter} curl -s --max-time 2 http://${far}; echo $?`)).toBe('7\n')
  expect(await answers()).toBe('no')
  await run(`${enter} ip route add ${route}`)
  expect(await answers()).toBe('yes')

  await run(`${enter} ip link set eth0 down`)
  expect(await answers()).toBe('no')
  expect(await run('ip -o link')).toContain('NO-CARRIER')
  // Its routes went with it: coming up brings back only what the kernel knows by itself.
  await run(`${enter} ip link set eth0 up`)
  expect(await answers()).toBe('no')
  await run(`${enter} ip route add ${route}`)
  expect(await answers()).toBe('yes')

  await run(`${enter} ip addr del ${address}/24 dev eth0`)
  expect(await answers()).toBe('no')
  await run(`${enter} sh -c 'ip addr add ${address}/24 dev eth0; ip route replace ${route}'`)
  expect(await answers()).toBe('yes')

  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/web' })
  await cluster.advance(20_000)
  expect(await run('ip netns list')).not.toContain(pid)
})
