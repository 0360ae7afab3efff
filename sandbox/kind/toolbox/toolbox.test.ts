import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TerminalProcess } from '../../engine.ts'
import { Docker } from '../docker.ts'
import { KindToolbox } from './toolbox.ts'
import { bridgePrefix } from './walls.ts'

const docker = await Docker.find()
const found = docker ? await KindToolbox.image(docker) : { missing: { en: 'There is no docker.' } }
const missing = 'missing' in found ? found.missing.en : ''
const labels = { 'labernetes.test': `toolbox-${process.pid}` }
/** Longer than any machine's uplink takes. */
const mtu = 60_000
const limits = { memory: 256 * 2 ** 20, cpus: 1, pids: 128 }

describe.skipIf(missing)(`a toolbox${missing ? ` (${missing})` : ''}`, { timeout: 120_000 }, () => {
  const ids = ['a', 'b'].map((name) => `lbn-test-${process.pid}-${name}`) as [string, string]
  const places = ids.map((id) => ({ docker: docker as Docker, id, network: id, labels, limits }))
  let toolboxes: [KindToolbox, KindToolbox]

  beforeAll(async () => {
    for (const [index, id] of ids.entries()) {
      const name = `com.docker.network.bridge.name=${bridgePrefix}-${process.pid % 1000}${index}`
      await docker?.call(['network', 'create', '-o', name, '-o', `com.docker.network.driver.mtu=${mtu}`, id])
    }
    toolboxes = (await Promise.all(
      places.map((place) => KindToolbox.start({ ...place, kubeconfig: 'kind: Config\n' })),
    )) as typeof toolboxes
  }, 120_000)

  afterAll(async () => {
    await Promise.all(toolboxes.map((toolbox) => toolbox[Symbol.asyncDispose]()))
    await docker?.remove('container', (await docker.list('container', labels)) ?? [])
    await docker?.remove('network', ids)
    expect(await docker?.list('volume', labels)).toEqual([])
  }, 60_000)

  const run = async (script: string, toolbox = toolboxes[0]) => toolbox.exec(['bash', '-c', script])
  const addressOf = async (container: string) => {
    const [inspected] = (await docker?.inspect('container', [container])) ?? []
    const network = Object.values(inspected?.NetworkSettings.Networks ?? {})[0]
    return { address: network?.IPAddress ?? '', gateway: network?.Gateway ?? '' }
  }

  test('has the tools of the trade and no privilege', async () => {
    const tools = ['kubectl', 'helm', 'etcdctl', 'ip', 'openssl', 'curl', 'jq', 'vi', 'nano', 'dig']
    expect((await run(`type -P ${tools.join(' ')} | wc -l`)).stdout.trim()).toBe(`${tools.length}`)
    expect((await run('bash -ic "complete -p kubectl helm k" 2>&1')).stdout).toContain('__start_kubectl')
    const terminal = await toolboxes[0].openTerminal({ cols: 80, rows: 24 })
    const seen = reading(terminal)
    terminal.write('type -P kubectl helm\r')
    await seen.until('/opt/labernetes/bin/kubectl\r\n/opt/labernetes/bin/helm\r\n')
    await terminal[Symbol.asyncDispose]()
    const status = (
      await run('id -u; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; find / -xdev -perm /6000 -type f 2>/dev/null')
    ).stdout
    expect(status).toBe('1000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n')
    expect((await run('touch /etc/x || touch /opt/labernetes/x || ls /var/run/docker.sock')).exitCode).not.toBe(0)
  })

  test('is kept within its limits by the kernel, and its terminals live on', async () => {
    const hog = await run('python3 -c "x = bytearray(400 << 20); print(len(x))"')
    expect(hog).toMatchObject({ exitCode: 137, stdout: '' })
    const bomb = await run('for i in $(seq 300); do sleep 5 & done; wait')
    expect(bomb.stderr).toContain('Resource temporarily unavailable')
    await run('pkill sleep')
    const terminal = await toolboxes[0].openTerminal({ cols: 80, rows: 24 })
    const seen = reading(terminal)
    terminal.write('head -c 70000000 /dev/zero > ~/large; echo "status $?"; rm ~/large; exit\r')
    await seen.until('status 153') // SIGXFSZ
    await seen.exit
    expect((await run('kill -9 1; kill -9 -1; true')).exitCode).toBe(137)
    expect((await run('cat ~/.kube/config')).stdout).toBe('kind: Config\n')
  })

  test('a command is ended after its time', async () => {
    const { exitCode, stdout } = await toolboxes[0].exec(['bash', '-c', 'echo begun; sleep 60'], { timeout: 1_000 })
    expect({ exitCode, stdout }).toEqual({ exitCode: 124, stdout: 'begun\n' })
    expect((await run('pgrep -c sleep')).stdout).toBe('0\n')
  })

  test('a terminal goes on while nobody holds it and gives what it wrote meanwhile, byte for byte', async () => {
    const options = { cols: 80, rows: 24, held: { id: 'counting', seq: 0 } }
    const before = await toolboxes[0].openTerminal(options)
    const first = reading(before)
    before.write('PS1=\'> \'; clear; for i in $(seq 30); do echo "<$i>"; sleep 0.1; done\r')
    await first.until('<5>')
    await toolboxes[0].letGo()
    const seq = first.bytes()
    await sleep(500)
    const again = await KindToolbox.adopt(places[0]!)
    const after = await again!.openTerminal({ ...options, held: { id: 'counting', seq } })
    expect(after.continuesAt).toBe(seq)
    const second = reading(after)
    await second.until('<30>')
    const numbers = [...`${first.text()}${second.text()}`.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]))
    expect(numbers).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
    after.resize(100, 30)
    after.write('stty size; exit 7\r')
    await second.until('30 100')
    expect(await second.exit).toEqual({ exitCode: 7 })
    // how it ended is known until somebody asks for it to be forgotten
    const third = await again!.openTerminal({ ...options, held: { id: 'counting', seq: 0 } })
    expect(await reading(third).exit).toEqual({ exitCode: 7 })
    await third[Symbol.asyncDispose]()
    const fresh = await again!.openTerminal(options)
    expect(fresh.continuesAt).toBeUndefined()
    await fresh[Symbol.asyncDispose]()
  })

  test('closing a terminal ends what runs in it', async () => {
    const terminal = await toolboxes[0].openTerminal({ cols: 80, rows: 24 })
    const seen = reading(terminal)
    terminal.write('trap "" HUP TERM; (trap "" HUP; echo st""arted; sleep 1234)\r')
    await seen.until('started')
    await terminal[Symbol.asyncDispose]()
    await expect.poll(async () => (await run('pgrep -cfx "sleep 1234"')).stdout, { timeout: 10_000 }).toBe('0\n')
  })

  test('a flood waits for its reader', async () => {
    const terminal = await toolboxes[0].openTerminal({ cols: 80, rows: 24 })
    const seen = reading(terminal)
    terminal.write('yes | head -c 4000000 | cat; echo do""ne\r')
    await seen.until('y\r\ny')
    terminal.pause()
    await sleep(300)
    const still = seen.bytes()
    await sleep(500)
    expect(seen.bytes()).toBe(still)
    terminal.resume()
    await seen.until('done')
    await terminal[Symbol.asyncDispose]()
  })

  test('neither host nor neighbour nor metadata can be reached, not even by root in the network', async () => {
    await using server = await listening()
    const { port } = server.address() as { port: number }
    const [own, other] = await Promise.all(ids.map((id) => addressOf(`${id}-toolbox`)))
    await run(`(nc -lk -p 7000 >/dev/null 2>&1 &) ; (nc -u -lk -p 7000 >/tmp/udp 2>&1 &)`, toolboxes[1])
    await run('(nc -lk -p 7000 >/dev/null 2>&1 &)', toolboxes[0])
    const elsewhere = Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).filter((one) => one.family === 'IPv4' && !one.internal),
    )
    const targets = [
      ...[own!.gateway, other!.gateway, ...elsewhere.map((one) => one.address)].map((address) => `${address} ${port}`),
      `${other!.address} 7000`,
      `${ids[1]}-toolbox 7000`,
      '169.254.169.254 80',
    ]
    const script = (list: readonly string[]) => list.map((target) => `nc -z -w 2 ${target} && echo "open ${target}"`).join('\n')
    // that the server does listen and the neighbour too is seen from where it may be
    expect((await run(script([`${other!.address} 7000`]), toolboxes[1])).stdout).toContain('open')
    expect((await run(script([`${own!.address} 7000`]))).stdout).toContain('open')
    expect((await run(script(targets))).stdout).toBe('')
    expect(server.visits).toBe(0)
    // as somebody who has root on a node has it: every capability, addresses and IPv6 at will
    const [rooted] = ids
    const flags = [
      'run',
      '--rm',
      '--privileged',
      '--user=0:0',
      `--network=${rooted}`,
      '--entrypoint=bash',
      (found as { image: string }).image,
      '-c',
    ]
    const asRoot = `ip addr add ${other!.address}/16 dev eth0; ip route add ${other!.gateway} dev eth0
      echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; sleep 2
      ${script(targets.filter((target) => !target.includes('toolbox')).map((target) => target))}
      for neighbour in $(ip -6 neigh show dev eth0 | cut -d' ' -f1) fe80::1; do nc -6 -z -w 2 "$neighbour%eth0" ${port} && echo "open $neighbour"; done; true`
    expect(await docker!.call([...flags, asRoot])).toBe('')
    expect(server.visits).toBe(0)
  })

  test('how long a packet may be on the way out of this machine is not told to those who cannot go there', async () => {
    const flags = ['--rm', '--privileged', '--user=0:0', `--network=${ids[0]}`, '--entrypoint=bash']
    const script = `for size in ${mtu - 28} 56; do ping -n -c 2 -W 1 -M do -s $size 10.88.2.2; done; ip route get 10.88.2.2`
    const said = await docker!.call(['run', ...flags, (found as { image: string }).image, '-c', script])
    expect(said).toContain('Packet filtered')
    expect(said).not.toMatch(/Frag needed|mtu \d/)
  })

  test('a shell on a node is root there, outlives the platform and ends with its node', async () => {
    const node = `${ids[0]}-node`
    const [image] = 'image' in found ? [found.image] : []
    const flags = ['--privileged', '--user=0:0', '--entrypoint=sleep', '--init']
    await docker!.run({ name: node, image: image!, labels, network: ids[0], hostname: 'a-node', flags, argv: ['infinity'] })
    const options = { cols: 80, rows: 24, held: { id: 'on-node', seq: 0 } }
    const before = await toolboxes[0].openNodeTerminal(node, options)
    const first = reading(before)
    before.write('echo "$(id -un)@$(hostname) $(ps -o comm= -p 1)"; echo left > /tmp/left\r')
    await first.until('root@a-node docker-init')
    expect((await docker!.exec(node, ['cat', '/tmp/left'])).stdout).toBe('left\n')
    await toolboxes[0].letGo()
    const again = await KindToolbox.adopt(places[0]!)
    const after = await again!.openNodeTerminal(node, { ...options, held: { id: 'on-node', seq: first.bytes() } })
    expect(after.continuesAt).toBe(first.bytes())
    const second = reading(after)
    after.write('echo st""ill\r')
    await second.until('still')
    await docker!.call(['restart', '--time=0', node])
    expect(await second.exit).toEqual({ exitCode: 137 })
    const fresh = await again!.openNodeTerminal(node, { cols: 80, rows: 24 })
    const third = reading(fresh)
    fresh.write('hostname\r')
    await third.until('a-node')
  })

  test('a shell ends with its container, also when docker does not say so', async () => {
    // what Docker does at times: the container has ended, `docker exec` has not
    await using folder = await temporary()
    const program = join(folder.path, 'docker')
    const told = join(folder.path, 'told')
    const script = `'${docker!.program}' "$@"; code=$?; case "$*" in *socat*) [ -e '${told}' ] || { touch '${told}'; exec sleep 1000; };; esac; exit $code`
    await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const forgetful = { ...places[1]!, docker: new Docker(program) }
    const node = `${ids[1]}-node`
    const image = (found as { image: string }).image
    const flags = ['--privileged', '--user=0:0', '--entrypoint=sleep', '--init']
    await docker!.run({ name: node, image, labels, network: ids[1], flags, argv: ['infinity'] })
    const toolbox = await KindToolbox.adopt(forgetful)
    const terminal = await toolbox!.openNodeTerminal(node, { cols: 80, rows: 24 })
    const seen = reading(terminal)
    terminal.write('echo he""re\r')
    await seen.until('here')
    await docker!.call(['kill', node])
    expect(await seen.exit).toEqual({ exitCode: 137 })
  })
})

function reading(terminal: TerminalProcess) {
  const chunks: Uint8Array[] = []
  terminal.onData((bytes) => chunks.push(Buffer.from(bytes)))
  const text = () => Buffer.concat(chunks).toString('latin1')
  return {
    text,
    bytes: () => chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    until: (wanted: string) =>
      expect.poll(() => (text().includes(wanted) ? 'seen' : text().slice(-400)), { timeout: 20_000, interval: 20 }).toBe('seen'),
    exit: new Promise((resolve) => terminal.onExit(resolve)),
  }
}

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'toolbox-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A server on every address of this machine, as the platform might be. */
async function listening(): Promise<Server & AsyncDisposable & { visits: number }> {
  const server = Object.assign(
    createServer((socket) => {
      server.visits++
      socket.destroy()
    }),
    { visits: 0 },
  )
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  return server
}
