import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SurroundingsView } from './addresses.ts'
import { findJails, limits } from './jail.ts'
import { openToolbox, type Toolbox } from './toolbox.ts'
import { prepareTools, type Tools } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'toolbox-test-'))
const jails = findJails()
let tools: Tools
let api: Server

beforeAll(async () => {
  await chmod(folder, 0o755)
  tools = await prepareTools(join(import.meta.dirname, '../../.cache'))
  // stands where a sandbox's API server is: says who it is to whoever connects
  api = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nthe API\n'))
  await new Promise<void>((resolve) => api.listen(join(folder, 'api.sock'), resolve))
})

afterAll(() => {
  api.close()
  rmSync(folder, { recursive: true, force: true })
})

test('this machine can make both jails', () => {
  expect(jails).toEqual({ kinds: ['bubblewrap', 'unshare'], reason: null })
})

describe.each(['bubblewrap', 'unshare'] as const)('a toolbox walled off by %s', (jail) => {
  let toolbox: Toolbox
  let neighbour: Toolbox
  const sh = (script: string, box = toolbox) => box.exec(['bash', '-c', script])

  beforeAll(async () => {
    const make = (name: string) =>
      openToolbox({
        home: join(folder, `${jail}-${name}`),
        tools: tools.folder,
        apiSocket: join(folder, 'api.sock'),
        jail,
        kubeconfig: async (server) => `server: ${server}\n`,
      })
    toolbox = await make('one')
    neighbour = await make('two')
  })

  afterAll(async () => {
    await toolbox?.[Symbol.asyncDispose]()
    await neighbour?.[Symbol.asyncDispose]()
  })

  test('has kubectl and helm and a private home', async () => {
    expect((await sh('kubectl version --client')).stdout).toContain('Client Version: v1.35')
    expect((await sh('helm version --short')).stdout).toMatch(/^v4\./)
    expect((await sh('pwd; id -u; cat ~/.kube/config')).stdout).toBe('/home/learner\n1000\nserver: https://127.0.0.1:6443\n')
    await sh('echo mine > ~/note')
    expect((await sh('cat ~/note')).stdout).toBe('mine\n')
    expect((await sh('cat ~/note', neighbour)).exitCode).toBe(1)
  })

  test("reaches the sandbox's API server and nothing else", async () => {
    expect((await sh('curl -s http://127.0.0.1:6443/')).stdout).toBe('the API\n')
    const other = createServer()
    const port = await new Promise<number>((resolve) =>
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
    )
    try {
      expect((await sh(`curl -sm2 http://127.0.0.1:${port}/`)).exitCode).toBe(7)
    } finally {
      other.close()
    }
    expect((await sh('curl -sm2 http://192.0.2.1/')).exitCode).toBe(7)
    expect((await sh('ip -o link | grep -cv " lo:"')).stdout).toBe('0\n')
  })

  test('sees no process, file or secret of the machine', async () => {
    const canary = spawn('sleep', ['4242'])
    try {
      expect((await sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout).not.toContain('sleep 4242')
    } finally {
      canary.kill('SIGKILL')
    }
    writeFileSync(join(folder, 'secret'), 'do not show')
    for (const attempt of [
      `cat ${folder}/secret`,
      `cat /proc/1/root${folder}/secret`,
      `ls ${import.meta.dirname}`,
      'cat /etc/shadow',
      'cat /proc/1/environ',
      'ls /root',
      'ls /sys/fs/cgroup',
    ])
      expect((await sh(attempt)).exitCode, attempt).not.toBe(0)
    expect((await sh('env')).stdout).not.toMatch(/npm_|NODE_|DATABASE|SECRET|VITEST/)
  })

  test('cannot change the system or gain a privilege', async () => {
    for (const attempt of [
      'touch /usr/x',
      'touch /x',
      'touch /etc/x',
      'touch /dev/x',
      'touch /opt/labernetes/bin/x',
      'mount -t tmpfs none /tmp',
      'echo x > /proc/sys/kernel/hostname',
      'ip link set lo down',
      'hostname x',
      'nsenter -t 1 -m true',
      'chroot / true',
    ])
      expect((await sh(attempt)).exitCode, attempt).not.toBe(0)
    await sh('kill -9 1')
    const status = (await sh('cat /proc/self/status')).stdout
    expect(status).toMatch(/CapEff:\s+0000000000000000/)
    expect(status).toMatch(/NoNewPrivs:\s+1/)
  })

  test('limits processes and the size of a file', async () => {
    const forks = `perl -e 'for (1..700) { $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } push @p, $p } print scalar @p; kill KILL => @p'`
    const many = Number((await sh(forks)).stdout)
    expect(many).toBeGreaterThan(300)
    expect(many).toBeLessThan(limits.processes)
    expect((await sh('head -c 100000000 /dev/zero > ~/big; stat -c %s ~/big; rm ~/big')).stdout).toBe(`${64 * 2 ** 20}\n`)
    expect((await sh('head -c 100000000 /dev/zero > /tmp/big')).exitCode).not.toBe(0)
    await sh('rm -f /tmp/big')
  })

  test('a command past its time is killed with everything it started', async () => {
    const result = await toolbox.exec(['bash', '-c', 'sleep 77 & sleep 78'], { timeout: 300 })
    expect(result.exitCode).toBe(124)
  })

  test('terminals share processes and network, and closing one hangs it up', async () => {
    const terminal = await toolbox.openTerminal({ cols: 90, rows: 30 })
    let screen = ''
    terminal.onData((bytes) => {
      screen += Buffer.from(bytes).toString()
    })
    terminal.write(
      `stty size; perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(Listen=>5,LocalAddr=>"127.0.0.1",LocalPort=>8765); while($c=$s->accept){sysread $c,$r,4096; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhi"; close $c}' & sleep 4343 &\r`,
    )
    await until(() => screen.includes('30 90'))
    await until(async () => (await sh('curl -s http://127.0.0.1:8765/ >/dev/null && pgrep -f "sleep 4343"')).exitCode === 0)
    await terminal[Symbol.asyncDispose]()
    await until(async () => (await sh('pgrep -f "sleep 434[3]"')).exitCode !== 0)
  })

  test('no connection is lost while its addresses come, and one that is held does not keep it from ending', async () => {
    const far = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('+HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'))
    })
    const socket = join(folder, `${jail}-far.sock`)
    await new Promise<void>((resolve) => far.listen(socket, resolve))
    let show: (view: SurroundingsView) => void = () => undefined
    const reaching = await openToolbox({
      home: join(folder, `${jail}-reaching`),
      tools: tools.folder,
      apiSocket: join(folder, 'api.sock'),
      jail,
      kubeconfig: async () => '',
      surroundings: {
        socket,
        follow: (listener) => {
          show = listener
          return { [Symbol.dispose]: () => undefined }
        },
      },
    })
    // more and more ports, and of each round's somebody waits for the first
    for (let round = 1; round <= 8; round++) {
      const url = `http://172.18.0.2:${8000 + 20 * (round - 1)}`
      const ask = `curl -s -o /dev/null -w '%{exitcode}' --max-time 5 ${url}`
      const waiting = Array.from({ length: 3 }, () =>
        sh(`touch ~/waits; while code=$(${ask}); [ $code = 7 ]; do :; done; echo $code`, reaching),
      )
      await expect.poll(async () => (await sh('rm ~/waits', reaching)).exitCode).toBe(0)
      const open = Array.from({ length: 20 * round }, (_, index) => 8000 + index)
      show({ network: '172.18.0.0/16', addresses: [{ ip: '172.18.0.2', open, silent: [] }] })
      expect((await Promise.all(waiting)).map(({ stdout }) => stdout)).toEqual(['0\n', '0\n', '0\n'])
    }
    await sh('setsid bash -c "exec 3<>/dev/tcp/127.0.0.1/6443; sleep 1000" >/dev/null 2>&1 & sleep 0.5', reaching)
    await reaching[Symbol.asyncDispose]()
    await new Promise((resolve) => far.close(resolve))
  })

  test('when it is disposed every process in it is gone', async () => {
    const box = await openToolbox({
      home: join(folder, `${jail}-end`),
      tools: tools.folder,
      apiSocket: join(folder, 'api.sock'),
      jail,
      kubeconfig: async () => '',
    })
    await box.exec(['bash', '-c', 'setsid nohup sleep 5454 >/dev/null 2>&1 &'])
    await until(() => running('sleep 5454'))
    await box[Symbol.asyncDispose]()
    await until(() => !running('sleep 5454'))
  })

  test('when the platform is killed every process in it is gone', async () => {
    const seconds = 600_000 + process.pid
    const script = `
      const { openToolbox } = await import(${JSON.stringify(join(import.meta.dirname, 'toolbox.ts'))})
      const box = await openToolbox({ home: ${JSON.stringify(join(folder, `${jail}-crash`))}, tools: ${JSON.stringify(tools.folder)}, apiSocket: '/nowhere', jail: '${jail}', kubeconfig: async () => '' })
      await box.exec(['bash', '-c', 'setsid nohup sleep ${seconds} >/dev/null 2>&1 &'])
      console.log('open')`
    const platform = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await new Promise((resolve) => platform.stdout.once('data', resolve))
      await until(() => running(`sleep ${seconds}`))
    } finally {
      platform.kill('SIGKILL')
    }
    await until(() => !running(`sleep ${seconds}`))
  })
})

test('without a jail the shell still has a home, the tools and its own way to the API server', async () => {
  await using box = await openToolbox({
    home: join(folder, 'plain'),
    tools: tools.folder,
    apiSocket: join(folder, 'api.sock'),
    jail: 'none',
    kubeconfig: async (server) => `server: ${server}\n`,
  })
  const { stdout } = await box.exec(['bash', '-c', 'pwd; cat .kube/config; curl -s $(sed "s/server: https/http/" .kube/config); env'])
  expect(stdout).toMatch(/^\S+\/plain\nserver: https:\/\/127\.0\.0\.1:\d+\nthe API\n/)
  expect(stdout).not.toMatch(/npm_|NODE_|DATABASE|SECRET|VITEST/)
})

describe.runIf(process.getuid?.() === 0)('as an ordinary user', () => {
  test.each(['bubblewrap', 'unshare'])('%s works too', (jail) => {
    const own = mkdtempSync(join(tmpdir(), 'toolbox-user-'))
    execFileSync('chown', ['65534:65534', own])
    const code = join(own, 'terminal')
    execFileSync('cp', ['-r', import.meta.dirname, code])
    const copied = ['node-pty', 'fflate'].map(
      (name) =>
        `mkdir -p ${own}/node_modules && cp -rL ${join(import.meta.dirname, '../../node_modules', name)} ${own}/node_modules/${name}`,
    )
    execFileSync('sh', [
      '-c',
      [
        `cp -r ${tools.folder} ${own}/tools`,
        `cp ${process.execPath} ${own}/node`,
        ...copied,
        `mkdir -p ${own}/node_modules/@lydell && cp -rL ${join(import.meta.dirname, '../../node_modules/@lydell')}/. ${own}/node_modules/@lydell/`,
        `cp ${join(import.meta.dirname, '../engine.ts')} ${own}/`,
        `chmod -R a+rX ${own}`,
      ].join(' && '),
    ])
    const script = `
      const { openToolbox } = await import('${code}/toolbox.ts')
      await using box = await openToolbox({ home: '${own}/home', tools: '${own}/tools', apiSocket: '/nowhere', jail: '${jail}', kubeconfig: async () => '' })
      console.log((await box.exec(['bash', '-c', 'id -u; ls /root; cat /proc/self/status | grep CapEff'])).stdout)`
    const output = execFileSync(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', `${own}/node`, '--input-type=module', '-e', script],
      { env: { PATH: process.env['PATH'], HOME: own } as unknown as NodeJS.ProcessEnv, cwd: own },
    )
    expect(String(output)).toMatch(/^1000\nCapEff:\s+0000000000000000\n/)
    rmSync(own, { recursive: true, force: true })
  })
})

function running(command: string): boolean {
  return execFileSync('ps', ['-eo', 'args']).toString().split('\n').includes(command)
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(await condition()).toBe(true)
}
