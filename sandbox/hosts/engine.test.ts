import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sandbox, WatchEvent } from '../engine.ts'
import type { Text } from '../text.ts'
import { HostsEngine } from './engine.ts'
import { findRequirements } from './requirements.ts'

const folder = mkdtempSync(join(tmpdir(), 'hosts-test-'))
const requirements = await findRequirements()
const possible = requirements.network === null
const faults: string[] = []
let engine: HostsEngine

function start(name: string): Promise<HostsEngine> {
  return HostsEngine.start({ dir: join(folder, name), onFault: (fault) => faults.push(fault) })
}

async function sh(sandbox: Sandbox, node: string, script: string): Promise<string> {
  const { stdout, stderr } = await sandbox.exec(['bash', '-c', script], { node })
  return `${stdout}${stderr}`.trim()
}

beforeAll(async () => {
  engine = await start('engine')
})

afterAll(async () => {
  for (const id of readdirSync(join(folder, 'engine'))) await engine.destroy(id)
  await engine[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('says in sentences what it has not', async () => {
  const capabilities = await engine.capabilities()
  expect(capabilities.api).toEqual({
    en: 'Hosts have no Kubernetes API: there is no Kubernetes on them.',
    zh: '主机上没有 Kubernetes API：上面没有 Kubernetes。',
  })
  expect(capabilities.audit).toMatchObject({ zh: '主机上没有审计日志：上面没有 Kubernetes。' })
  for (const answer of Object.values(capabilities))
    expect(answer === true || (/^[A-Z].+\.$/.test(answer.en) && answer.zh.endsWith('。'))).toBe(true)
})

describe.runIf(possible)('hosts', () => {
  let sandbox: Sandbox
  let neighbour: Sandbox

  beforeAll(async () => {
    sandbox = await engine.create({ id: 'one', nodes: 3 }, () => undefined)
    neighbour = await engine.create({ id: 'two', nodes: 2 }, () => undefined)
  })

  test('reach each other by name from the start', async () => {
    expect(await sandbox.nodes()).toEqual(['worker', 'worker2', 'worker3'])
    for (const to of ['worker2', 'worker3']) expect(await sh(sandbox, 'worker', `ping -c1 -W2 ${to}`)).toContain(' 0% packet loss')
    expect(await sh(sandbox, 'worker3', 'hostname; id -u; cat /sys/class/net/eth0/mtu; cat /proc/sys/net/ipv4/ip_forward')).toBe(
      'worker3\n0\n1500\n1',
    )
    // what names no host runs on the first one
    expect((await sandbox.exec(['hostname'])).stdout).toBe('worker\n')
  })

  test('have files and processes of their own', async () => {
    await sh(sandbox, 'worker', 'for at in /root /tmp /run /etc/cni/net.d /dev/shm; do echo mine > $at/note; done')
    for (const at of ['/root', '/tmp', '/run', '/etc/cni/net.d', '/dev/shm']) {
      expect(await sh(sandbox, 'worker', `cat ${at}/note`)).toBe('mine')
      expect(await sh(sandbox, 'worker2', `cat ${at}/note`)).toContain('No such file')
    }
    await sh(sandbox, 'worker', 'sleep 4141 >/dev/null 2>&1 &')
    expect(await sh(sandbox, 'worker', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')).toContain('sleep 4141')
    expect(await sh(sandbox, 'worker2', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')).not.toContain('sleep 4141')
  })

  test('are networks one can work on: namespaces, bridges, vxlan, nat, tcpdump', async () => {
    const seen = await sh(
      sandbox,
      'worker2',
      `ip netns add a
       ip link add lab0 type bridge && ip link set lab0 up && ip addr add 10.9.0.1/24 dev lab0
       ip link add va type veth peer name eth0 netns a && ip link set va master lab0 up
       ip -n a addr add 10.9.0.2/24 dev eth0 && ip -n a link set eth0 up && ip -n a route add default via 10.9.0.1
       iptables -t nat -A POSTROUTING -s 10.9.0.0/24 ! -o lab0 -j MASQUERADE
       ip link add vx0 type vxlan id 100 dstport 4789 remote $(getent hosts worker3 | cut -d' ' -f1) dev eth0
       tcpdump -c1 -ni eth0 icmp 2>/tmp/listens &
       until grep -q listening /tmp/listens; do sleep 0.05; done
       ip netns exec a ping -c1 -W2 worker3
       wait`,
    )
    expect(seen).toContain(' 0% packet loss')
    expect(seen).toMatch(/IP 172\.30\.0\.3 > 172\.30\.0\.4: ICMP echo request/)
    const { objects } = await sandbox.snapshot()
    expect(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual(['Host/worker', 'Host/worker2', 'Host/worker3'])
    expect(objects[1]).toMatchObject({
      network: {
        namespaces: {
          '': {
            forwarding: true,
            rules: ['-t nat -A POSTROUTING -s 10.9.0.0/24 ! -o lab0 -j MASQUERADE'],
            links: expect.arrayContaining([
              expect.objectContaining({ name: 'va', kind: 'veth', master: 'lab0', up: true }),
              expect.objectContaining({ name: 'lab0', kind: 'bridge', addresses: ['10.9.0.1/24'] }),
              expect.objectContaining({
                name: 'vx0',
                vxlan: { id: 100, port: 4789, remote: '172.30.0.4', device: 'eth0', learning: true },
              }),
            ]),
            fdb: expect.arrayContaining([{ mac: '00:00:00:00:00:00', device: 'vx0', to: '172.30.0.4', permanent: true }]),
          },
          a: { routes: expect.arrayContaining([{ to: 'default', via: '10.9.0.1', device: 'eth0', onlink: false }]) },
        },
      },
    })
  })

  test('have a web server', async () => {
    await sh(sandbox, 'worker3', 'setsid webserver 8080 >/dev/null 2>&1 &')
    await until(async () => (await sh(sandbox, 'worker', 'curl -s worker3:8080')) === 'worker3 at 172.30.0.4 hears 172.30.0.2')
  })

  test.runIf(requirements.plugins)('call a CNI plugin by hand', async () => {
    const seen = await sh(
      sandbox,
      'worker3',
      `ip netns add pod
       export CNI_COMMAND=ADD CNI_CONTAINERID=one CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
       echo '{"cniVersion":"1.0.0","name":"lab","type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.8.0.0/24"}}' > /etc/cni/net.d/lab.conf
       /opt/cni/bin/bridge < /etc/cni/net.d/lab.conf && ip netns exec pod ping -c1 -W2 10.8.0.1
       CNI_COMMAND=DEL /opt/cni/bin/bridge < /etc/cni/net.d/lab.conf && ip -n pod -o link | grep -c eth0`,
    )
    expect(seen).toMatch(/"address": "10\.8\.0\.2\/24"[\s\S]* 0% packet loss[\s\S]*\n0$/)
  })

  test('reach nothing of this machine and no other sandbox', async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '0.0.0.0', () => resolve((server.address() as { port: number }).port)),
    )
    try {
      for (const to of ['127.0.0.1', '172.30.0.1', '172.30.0.254', '192.0.2.1'])
        expect((await sandbox.exec(['curl', '-sm2', `http://${to}:${port}/`])).exitCode, to).not.toBe(0)
    } finally {
      server.close()
    }
    expect(await sh(sandbox, 'worker', 'ip route')).not.toContain('default')
    // the same addresses are other hosts there
    expect(await sh(neighbour, 'worker', 'ip netns; cat /root/note; ping -c1 -W1 172.30.0.4')).toMatch(
      /100% packet loss[\s\S]*No such file/,
    )
    // a learner takes the host's last address, and more: it stays in its own underlay
    await sh(sandbox, 'worker', 'ip addr add 172.30.0.77/24 dev eth0')
    expect(await sh(neighbour, 'worker', 'ping -c1 -W1 172.30.0.77')).toContain('100% packet loss')
    const canary = spawn('sleep', ['4242'])
    try {
      expect(await sh(sandbox, 'worker', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')).not.toContain('sleep 4242')
    } finally {
      canary.kill('SIGKILL')
    }
  })

  test('cannot change the system or leave their walls', async () => {
    for (const attempt of [
      `cat ${join(import.meta.dirname, 'engine.ts')}`,
      'ls /proc/1/root/work /proc/1/root/home/*',
      'cat /etc/shadow',
      'touch /usr/x',
      'mount -o remount,bind,rw /usr && touch /usr/x',
      'touch /etc/alternatives/x',
      'touch /dev/x',
      'echo x > /proc/sys/kernel/core_pattern',
      'echo 1 > /proc/sys/kernel/panic',
      'echo b > /proc/sysrq-trigger',
      'dmesg',
      'mknod /tmp/disk b 253 0 && head -c1 /tmp/disk',
      'chroot /proc/1/root ls /data',
      'kill -9 1; kill -0 1 && false',
      'date -s 2020-01-01',
      'umount /dev/null',
    ])
      expect((await sandbox.exec(['bash', '-c', attempt])).exitCode, attempt).not.toBe(0)
    expect(await sh(sandbox, 'worker', 'hostname')).toBe('worker')
    // the underlay is not theirs, though its bridge carries them
    expect(await sh(sandbox, 'worker', 'ls /sys/class/net')).toMatch(/^eth0\n([^w].*\n)*lo/)
  })

  test('limits processes, all hosts together, and files', async () => {
    const forks = `perl -e 'for (1..700) { $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } push @p, $p } print scalar @p; kill KILL => @p'`
    const many = Number((await sandbox.exec(['bash', '-c', forks])).stdout)
    expect(many).toBeGreaterThan(300)
    expect(many).toBeLessThan(512)
    expect((await sandbox.exec(['bash', '-c', 'head -c 100000000 /dev/zero > /tmp/big'])).exitCode).not.toBe(0)
    await sh(sandbox, 'worker', 'rm /tmp/big; pkill -9 perl')
  })

  test('a process that takes too much memory is killed, however deep it hides, and the learner is told', async () => {
    const notices: Text[] = []
    const abort = new AbortController()
    sandbox.onNotice?.((notice) => notices.push(notice), abort.signal)
    const greedy = await sandbox.exec(
      ['unshare', '-Urp', '--fork', '--kill-child', 'perl', '-e', '$x = "x" x 500_000_000; $y = $x; $z = $x; sleep 100; print "alive"'],
      { timeout: 80_000 },
    )
    expect(greedy.stdout).toBe('')
    expect(greedy.exitCode).not.toBe(124)
    abort.abort()
    expect(notices).toContainEqual({ en: expect.stringContaining('a process was killed'), zh: expect.stringContaining('被终止') })
  }, 90_000)

  test('tell that somebody works on them, and what has changed', async () => {
    const events: WatchEvent[] = []
    const abort = new AbortController()
    await sandbox.watch({ group: 'hosts.labernetes', version: 'v1', resource: 'hosts' }, (event) => events.push(event), abort.signal)
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`).sort()).toEqual([
      'ADDED worker',
      'ADDED worker2',
      'ADDED worker3',
    ])
    const terminal = await sandbox.openTerminal({ cols: 80, rows: 24, node: 'worker' })
    let screen = ''
    terminal.onData((bytes) => {
      screen += Buffer.from(bytes).toString()
    })
    await until(() => screen.includes('worker:~'))
    terminal.write('ip link add seen0 type bridge; iptables -A FORWARD -p udp --dport 8472 -j DROP\r')
    const last = () => JSON.stringify(events.findLast(({ object }) => object.metadata.name === 'worker'))
    await until(() => last().includes('seen0') && last().includes('--dport 8472'))
    abort.abort()
    await terminal[Symbol.asyncDispose]()
    // there are no Pods, and asking for them is no fault
    await sandbox.watch({ group: '', version: 'v1', resource: 'pods' }, () => expect.unreachable(), new AbortController().signal)
    expect((await sandbox.api({ method: 'GET', path: '/api/v1/pods' })).status).toBe(404)
  })

  test('what the learner put at the first host at the start is there', async () => {
    const files = mkdtempSync(join(tmpdir(), 'home-files-'))
    execFileSync('sh', ['-c', `echo hello > ${files}/note`])
    const own = await engine.create({ id: 'with-files', nodes: 2, homeFiles: files }, () => undefined)
    expect(await sh(own, 'worker', 'cat ~/note; ls -l ~/note')).toMatch(/^hello\n-\S+ \d+ root root/)
    await engine.destroy('with-files')
    rmSync(files, { recursive: true })
  })

  test('leave nothing when they end, and an aborted start leaves nothing', async () => {
    const own = await engine.create({ id: 'short', nodes: 2 }, () => undefined)
    await sh(own, 'worker', 'setsid sleep 5454 >/dev/null 2>&1 & ip netns add left')
    await until(() => running('sleep 5454'))
    const { holder } = JSON.parse(readFileSync(join(folder, 'engine/short/hosts.json'), 'utf8')) as { holder: { hosts: { pid: number }[] } }
    const spaces = holder.hosts.map(({ pid }) => readlinkSync(`/proc/${pid}/ns/net`))
    await engine.destroy('short')
    expect(running('sleep 5454')).toBe(false)
    expect(execFileSync('sh', ['-c', 'readlink /proc/[0-9]*/ns/net || true']).toString().split('\n')).not.toEqual(
      expect.arrayContaining([spaces[0]]),
    )
    const aborted = engine.create({ id: 'aborted', nodes: 2 }, () => undefined, AbortSignal.abort(new Error('enough')))
    await expect(aborted).rejects.toThrow('enough')
    await engine.destroy('unknown')
    expect(readdirSync(join(folder, 'engine')).sort()).toEqual(['one', 'two'])
  })
})

describe.runIf(possible)('after a kill -9 of the platform', () => {
  const script = (dir: string, id: string) => `
    const { HostsEngine } = await import(${JSON.stringify(join(import.meta.dirname, 'engine.ts'))})
    const engine = await HostsEngine.start({ dir: ${JSON.stringify(dir)}, onFault: console.error })
    const sandbox = await engine.create({ id: '${id}', nodes: 2 }, () => undefined)
    await sandbox.exec(['bash', '-c', 'ip link add lab0 type bridge; echo kept > ~/note; setsid sleep 616161 >/dev/null 2>&1 &'])
    console.log('ready')
    await sandbox.exec(['sleep', '60'], { timeout: 60_000 })`

  async function killed(dir: string, id: string): Promise<void> {
    const platform = spawn(process.execPath, ['--input-type=module', '-e', script(dir, id)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => platform.stdout.once('data', resolve))
    const gone = new Promise((resolve) => platform.once('exit', resolve))
    platform.kill('SIGKILL')
    await gone
    // setsid may still be on its way to it
    await until(() => running('sleep 616161'))
  }

  test('hosts go on, and the next platform has them with all that was done', async () => {
    await killed(join(folder, 'crash'), 'kept')
    const next = await start('crash')
    const [sandbox] = await next.adopt(['kept'])
    expect(sandbox?.id).toBe('kept')
    expect(await sh(sandbox as Sandbox, 'worker', 'cat ~/note; ip -br link show lab0; pgrep -f 616161')).toMatch(/^kept\nlab0 .*\n\d+/)
    await next.destroy('kept')
    expect(running('sleep 616161')).toBe(false)
  })

  test('hosts without a lease are removed', async () => {
    await killed(join(folder, 'crash'), 'orphan')
    const next = await start('crash')
    expect(await next.adopt(['another'])).toEqual([])
    expect(running('sleep 616161')).toBe(false)
    expect(readdirSync(join(folder, 'crash'))).toEqual([])
  })

  test('hosts that have ended are told of, not brought back empty', async () => {
    const dir = join(folder, 'crash')
    await killed(dir, 'lost')
    const { holder } = JSON.parse(readFileSync(join(dir, 'lost/hosts.json'), 'utf8')) as { holder: { pid: number } }
    process.kill(holder.pid, 'SIGKILL')
    await until(() => !running('sleep 616161'))
    const next = await start('crash')
    expect(await next.adopt(['lost'])).toEqual([])
    expect(faults.at(-1)).toContain('the hosts of lost have ended')
    expect(readdirSync(dir)).toEqual([])
  })
})

describe.runIf(possible && process.getuid?.() === 0)('as an ordinary user', () => {
  test('hosts work alike', () => {
    const own = mkdtempSync(join(tmpdir(), 'hosts-user-'))
    const modules = join(import.meta.dirname, '../../node_modules')
    for (const name of ['hosts', 'terminal', 'check', 'engine.ts', 'listeners.ts', 'text.ts'])
      cpSync(join(import.meta.dirname, '..', name), join(own, name), { recursive: true })
    for (const name of ['node-pty', '@lydell'])
      cpSync(join(modules, name), join(own, 'node_modules', name), { recursive: true, dereference: true })
    cpSync(process.execPath, join(own, 'node'))
    execFileSync('sh', ['-c', `chmod -R a+rX ${own} && chown 65534:65534 ${own}`])
    const script = `
      const { HostsEngine } = await import('${own}/hosts/engine.ts')
      await using engine = await HostsEngine.start({ dir: '${own}/data', onFault: console.error })
      const sandbox = await engine.create({ id: 'user', nodes: 2 }, () => undefined)
      const { stdout, stderr } = await sandbox.exec(['bash', '-c', 'id -u; ping -c1 -W2 worker2; ip netns add a && ip netns exec a true && iptables -t nat -A POSTROUTING -j MASQUERADE && echo done; (tcpdump -c1 -ni lo 2>/dev/null & sleep 1; ping -c1 127.0.0.1 >/dev/null; wait); touch /usr/x || ls ${own}'])
      console.log(stdout, stderr)
      await engine.destroy('user')`
    const output = execFileSync(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', `${own}/node`, '--input-type=module', '-e', script],
      { env: { PATH: process.env['PATH'], HOME: own } as unknown as NodeJS.ProcessEnv, cwd: own },
    )
    expect(String(output)).toMatch(
      /^0\n[\s\S]* 0% packet loss[\s\S]*\ndone\n[\s\S]*ICMP echo request[\s\S]*Read-only file system[\s\S]*No such file/,
    )
    rmSync(own, { recursive: true, force: true })
  })
})

function running(command: string): boolean {
  return execFileSync('ps', ['-eo', 'args']).toString().split('\n').includes(command)
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(await condition()).toBe(true)
}
