import { describe, expect, test } from 'vitest'
import type { HttpResponse } from '../network/network.ts'
import type { Container, Process } from './runtime.ts'
import { World } from './test-world.ts'
import { TreeVolume } from './volume.ts'

async function get(world: World, port: number, path: string, method = 'GET'): Promise<HttpResponse> {
  const answer = world.network.http('10.244.1.5', port, { method, path, headers: { Host: 'web' }, body: new Uint8Array(0) })
  await world.clock.advance(50)
  return answer
}

function screen(process: Process): () => string {
  let text = ''
  process.onOutput((_, data) => {
    text += Buffer.from(data).toString()
  })
  return () => text
}

describe('labapp', () => {
  test('listens after BOOT_S, is ready by its file, breaks on POST /break and drains on SIGTERM', async () => {
    const world = new World()
    const container = await world.run({
      image: 'labapp:v2',
      env: [
        { name: 'BOOT_S', value: '15' },
        { name: 'DRAIN_S', value: '25' },
      ],
    })
    await world.clock.advance(14_000)
    await expect(
      world.network.http('10.244.1.5', 8080, { method: 'GET', path: '/', headers: {}, body: new Uint8Array(0) }),
    ).rejects.toThrow('connection refused')
    await world.clock.advance(2000)
    expect(Buffer.from((await get(world, 8080, '/')).body).toString()).toContain('labapp v2 on pod-0001')
    expect((await get(world, 8080, '/ready')).status).toBe(200)
    await world.exec(container, ['rm', '/tmp/ready'])
    expect((await get(world, 8080, '/ready')).status).toBe(503)
    expect((await get(world, 8080, '/healthz')).status).toBe(200)
    expect((await get(world, 8080, '/break', 'POST')).status).toBe(200)
    expect((await get(world, 8080, '/healthz')).status).toBe(500)
    expect((await get(world, 8080, '/deep')).status).toBe(503)
    container.signal('SIGTERM')
    await world.clock.advance(24_000)
    expect(container.state).toBe('running')
    await world.clock.advance(2000)
    expect(container.exit).toMatchObject({ exitCode: 0, reason: 'Completed' })
    expect(world.text(container)).toContain('\ndrained\n')
    expect(world.reported).toEqual([])
  })

  test('goes on as it was after a restart: booted, broken, its file gone', async () => {
    const first = new World()
    const container = await first.run({ image: 'labapp', env: [{ name: 'BOOT_S', value: '5' }] })
    await first.clock.advance(6000)
    await get(first, 8080, '/break', 'POST')
    await first.exec(container, ['sh', '-c', 'rm /tmp/ready; echo kept > /tmp/note'])
    first.runtime.checkpoint()
    const second = new World({ records: first.entries, start: first.clock.now() })
    const [back] = second.runtime.restored() as [Container]
    await second.clock.advance(100)
    expect(back.startedAt).toBe(container.startedAt)
    expect((await get(second, 8080, '/healthz')).status).toBe(500)
    expect((await get(second, 8080, '/ready')).status).toBe(503)
    expect(Buffer.from(back.readFile('/tmp/note') ?? []).toString()).toBe('kept\n')
    expect(second.text(back)).toContain('listening on :8080')
    expect(second.reported).toEqual([])
  })
})

describe('signals', () => {
  test.each([
    ['a program without a handler as PID 1 ignores TERM', ['sleep', '1000'], undefined],
    ['sh -c becomes its last command, which ignores TERM too', ['sh', '-c', 'echo a; sleep 1000'], undefined],
    ['a trap runs once the command before it has ended', ['sh', '-c', 'trap "exit 3" TERM; while :; do sleep 1; done'], 3],
    ['a trap interrupts wait at once', ['sh', '-c', 'trap "echo stop; exit 4" TERM; sleep 1000 & wait'], 4],
    ['an ignored signal does nothing', ['sh', '-c', 'trap "" TERM; sleep 1000; echo'], undefined],
  ])('%s', async (_, command, code) => {
    const world = new World()
    const container = await world.run({ command })
    await world.clock.advance(1500)
    container.signal('SIGTERM')
    await world.clock.advance(2000)
    expect(container.exit?.exitCode).toBe(code)
    container.signal('SIGKILL')
    await world.clock.advance(10)
    expect(container.exit?.exitCode).toBe(code ?? 137)
  })

  test('a command that does not exist fails as runc words it', async () => {
    const world = new World()
    await expect(world.run({ command: ['nope'] })).rejects.toMatchObject({
      reason: 'StartError',
      exitCode: 128,
      message: expect.stringContaining('exec: "nope": executable file not found in $PATH'),
    })
    const container = await world.run({ command: ['sleep', '9'] })
    await expect(container.exec(['/etc/passwd'], { tty: false, stdin: false })).rejects.toThrow('exec: "/etc/passwd": permission denied')
  })
})

describe('fairness', () => {
  test('a busy loop takes a full core of cluster time and lets advance end', async () => {
    const world = new World()
    const busy = await world.run({ command: ['sh', '-c', 'while :; do :; done'] })
    const limited = await world.run({ command: ['sh', '-c', 'while :; do :; done'], cpuLimit: 0.2 })
    await world.clock.advance(30_000)
    expect(busy.usage().cpuNanoCores).toBeGreaterThan(900_000_000)
    expect(busy.usage().cpuNanoCores).toBeLessThan(1_100_000_000)
    expect(limited.usage().cpuNanoCores).toBeGreaterThan(150_000_000)
    expect(limited.usage().cpuNanoCores).toBeLessThan(250_000_000)
    expect((await world.exec(limited, ['echo', 'still there'])).stdout).toBe('still there\n')
  })

  test('output streams as it comes, and a pipe that nobody reads stops its writer', async () => {
    const world = new World()
    const container = await world.run({ command: ['sh', '-c', 'yes | head -3; echo first; sleep 5; echo second'] })
    await world.clock.advance(1000)
    expect(world.text(container)).toBe('y\ny\ny\nfirst\n')
    await world.clock.advance(5000)
    expect(world.text(container)).toBe('y\ny\ny\nfirst\nsecond\n')
  })

  test.each([
    ['tail /dev/zero'],
    ['x=0123456789; while :; do x=$x$x; done'],
    ['stress --vm 1 --vm-bytes 250M --vm-hang 1'],
    ['dd if=/dev/zero of=/dev/shm/fill bs=1M count=60; sleep 100'],
  ])('%s past the memory limit is OOMKilled', async (script) => {
    const world = new World()
    const image = script.startsWith('stress') ? 'polinux/stress' : 'busybox:1.36'
    const container = await world.run({ image, command: ['sh', '-c', script], memoryLimit: 50 * 1024 * 1024 })
    await world.clock.advance(60_000)
    expect(container.exit).toMatchObject({ exitCode: 137, reason: 'OOMKilled' })
    expect(world.reported).toEqual([])
  })

  test('a full layer answers ENOSPC', async () => {
    const world = new World()
    const container = await world.run({ command: ['sleep', '1000'] })
    const result = await world.exec(container, ['dd', 'if=/dev/zero', 'of=/fill', 'bs=1M', 'count=100'])
    expect(result.stderr).toContain('No space left on device')
    expect(result.code).toBe(1)
  })
})

describe('files', () => {
  test('kubectl cp: an archive from the real tar is extracted, and the real tar reads ours', async () => {
    const { execFileSync } = await import('node:child_process')
    const { mkdtempSync, writeFileSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const folder = mkdtempSync(`${tmpdir()}/cp-`)
    writeFileSync(`${folder}/hello.txt`, 'hello\n')
    const long = `${'n'.repeat(120)}.txt`
    writeFileSync(`${folder}/${long}`, 'long\n')
    const archive = execFileSync('tar', ['cf', '-', '-C', folder, 'hello.txt', long])
    const world = new World()
    const container = await world.run({ command: ['sleep', '1000'] })
    expect((await world.exec(container, ['tar', '-xmf', '-', '-C', '/tmp'], archive)).code).toBe(0)
    expect((await world.exec(container, ['cat', '/tmp/hello.txt', `/tmp/${long}`])).stdout).toBe('hello\nlong\n')
    const back = await world.exec(container, ['tar', 'cf', '-', '/tmp/hello.txt', `/tmp/${long}`])
    expect(execFileSync('tar', ['tf', '-'], { input: back.bytes }).toString()).toBe(`tmp/hello.txt\ntmp/${long}\n`)
  })

  test('a ConfigMap volume changes at once for plain mounts and never for subPath', async () => {
    const world = new World()
    const volume = world.runtime.volume('cm') as TreeVolume
    expect(volume).toBeInstanceOf(TreeVolume)
    const content = (text: string) => ({ banner: { content: Buffer.from(text), mode: 0o644 } })
    volume.replace(content('one\n'))
    const container = await world.run({
      command: ['sleep', '1000'],
      mounts: [
        { mountPath: '/etc/conf', readOnly: true, volume },
        { mountPath: '/etc/single', subPath: 'banner', readOnly: true, volume },
      ],
    })
    await world.clock.advance(60_000)
    volume.replace(content('two\n'))
    const { stdout } = await world.exec(container, [
      'sh',
      '-c',
      'cat /etc/conf/banner /etc/single; ls /etc/conf; readlink /etc/conf/banner; echo x > /etc/conf/new',
    ])
    expect(stdout).toBe('two\none\nbanner\n..data/banner\n')
  })
})

describe('terminal', () => {
  test('an interactive shell prompts, echoes, runs, is interrupted and leaves at Ctrl-D', async () => {
    const world = new World()
    const container = await world.run({ command: ['sleep', '1000'] })
    const shell = await container.exec(['sh'], { tty: true, stdin: true, cols: 80, rows: 24 })
    const text = screen(shell)
    const type = async (keys: string) => {
      shell.write(Buffer.from(keys))
      await world.clock.advance(100)
    }
    let exit: number | undefined
    void shell.exited.then((result) => {
      exit = result.exitCode
    })
    await type('')
    expect(text()).toBe('/ # ')
    await type('echo hix\x7f there\r')
    expect(text()).toContain('hi there\r\n/ # ')
    await type('sleep 100\r')
    await type('\x03')
    await type('echo $?\r')
    expect(text()).toContain('130\r\n')
    await type('cd /tmp\r')
    expect(text()).toContain('/tmp # ')
    await type('for i in 1 2\r')
    expect(text().endsWith('> ')).toBe(true)
    await type('do echo n$i; done\r')
    expect(text()).toContain('n1\r\nn2\r\n')
    await type('(exit 7)\r')
    await type('\x04')
    expect(exit).toBe(7)
    expect(world.reported).toEqual([])
  })

  test('an interactive shell ends with the code that exit names', async () => {
    const world = new World()
    const container = await world.run({ command: ['sleep', '1000'] })
    const shell = await container.exec(['sh'], { tty: true, stdin: true, cols: 80, rows: 24 })
    let exit: number | undefined
    void shell.exited.then((result) => {
      exit = result.exitCode
    })
    shell.write(Buffer.from('exit 3\r'))
    await world.clock.advance(100)
    expect(exit).toBe(3)
  })
})

describe('nginx', () => {
  test('serves its default page, complains about a wrong configuration, and reloads a right one', async () => {
    const world = new World()
    const container = await world.run({ image: 'nginx:1.27' })
    await world.clock.advance(100)
    expect(Buffer.from((await get(world, 80, '/')).body).toString()).toContain('Welcome to nginx!')
    expect((await get(world, 80, '/nowhere')).status).toBe(404)
    const bad = await world.exec(container, ['sh', '-c', 'echo "bogus on;" > /etc/nginx/conf.d/x.conf; nginx -t'])
    expect(bad.stderr).toContain('nginx: [emerg] unknown directive "bogus" in /etc/nginx/conf.d/x.conf:1')
    expect(bad.code).toBe(1)
    await world.exec(container, [
      'sh',
      '-c',
      'echo "server { listen 8081; location / { return 200 moved; } }" > /etc/nginx/conf.d/x.conf; nginx -s reload',
    ])
    expect(Buffer.from((await get(world, 8081, '/')).body).toString()).toBe('moved')
    container.signal('SIGQUIT')
    await world.clock.advance(10)
    expect(container.exit?.exitCode).toBe(0)
    expect(world.reported).toEqual([])
  })

  test('without its configuration it ends with code 1', async () => {
    const world = new World()
    const container = await world.run({
      image: 'nginx:1.27',
      mounts: [{ mountPath: '/etc/nginx', readOnly: true, volume: world.runtime.volume('empty') }],
    })
    await world.clock.advance(100)
    expect(container.exit?.exitCode).toBe(1)
    expect(world.text(container)).toContain('nginx: [emerg] open() "/etc/nginx/nginx.conf" failed (2: No such file or directory)')
  })
})

describe("nginx' entrypoint", () => {
  test('tells how it prepares the configuration, then nginx starts', async () => {
    const world = new World()
    const container = await world.run({ image: 'nginx:1.27' })
    await world.clock.advance(500)
    const lines = world.text(container).split('\n')
    expect(lines.slice(0, 3)).toEqual([
      '/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration',
      '/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/',
      '/docker-entrypoint.sh: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh',
    ])
    expect(lines).toContain('10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf')
    expect(lines).toContain('/docker-entrypoint.sh: Configuration complete; ready for start up')
    expect(lines.at(-2)).toMatch(/^2026\/11\/21 10:00:00 \[notice\] 1#1: start worker process \d+$/)
    expect(world.reported).toEqual([])
  })

  test('fills templates from the environment, names of nginx left alone', async () => {
    const world = new World()
    const templates = world.runtime.volume('templates')
    const text = 'server { listen ${PORT}; location / { return 200 "$GREETING $request_uri"; } }\n'
    templates.replace({ 'default.conf.template': { content: Buffer.from(text), mode: 0o644 } })
    const mounts = [{ mountPath: '/etc/nginx/templates', readOnly: true, volume: templates }]
    const env = [
      { name: 'PORT', value: '8080' },
      { name: 'GREETING', value: 'hello' },
    ]
    await world.run({ image: 'nginx:1.27', mounts, env })
    await world.clock.advance(500)
    expect(Buffer.from((await get(world, 8080, '/x')).body).toString()).toBe('hello /x')
  })

  test('says nothing before another command', async () => {
    const world = new World()
    const container = await world.run({ image: 'nginx:1.27', args: ['echo', 'hi'] })
    await world.clock.advance(500)
    expect(world.text(container)).toBe('hi\n')
  })
})

describe('images', () => {
  test.each([
    ['nginx:nope', 'docker.io/library/nginx:nope: not found'],
    ['ghcr.io/acme/doesnotexist:1', 'ghcr.io/acme/doesnotexist:1: not found'],
    [
      'registry.invalid/app:1',
      'failed to pull and unpack image "registry.invalid/app:1": failed to resolve reference "registry.invalid/app:1": failed to do request: Head "https://registry.invalid/v2/app/manifests/1": dial tcp: lookup registry.invalid on 172.18.0.1:53: no such host',
    ],
    [
      '172.18.0.2:5999/app:1',
      'failed to do request: Head "https://172.18.0.2:5999/v2/app/manifests/1": dial tcp 172.18.0.2:5999: connect: connection refused',
    ],
    ['registry.example.com/nginx:1.27', 'authorization failed: no basic auth credentials'],
    ['acme-does-not-say', 'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope'],
  ])('%s cannot be pulled', async (image, text) => {
    const world = new World()
    const pulled = expect(world.runtime.pull(image)).rejects.toMatchObject({
      reason: 'ErrImagePull',
      message: expect.stringContaining(text),
    })
    await world.clock.advance(5000)
    await pulled
    expect(world.runtime.present(image)).toBeUndefined()
  })

  test.each([
    ['busybox:1.36', 'curl', 127],
    ['alpine:3.20', 'curl', 127],
    ['busybox:1.36', 'getent', 127],
    ['labapp', 'curl', 0],
    ['nginx:1.27', 'curl', 0],
    ['nicolaka/netshoot', 'curl', 0],
  ])('%s: %s --version ends with %i', async (image, tool, code) => {
    const world = new World()
    const container = await world.run({ image, command: ['sleep', '60'] })
    const done = await world.exec(container, ['sh', '-c', `${tool} --version`])
    expect(done.code).toBe(code)
    if (code === 0) expect(done.stdout).toContain(tool)
    else expect(done.stderr).toBe(`sh: ${tool}: not found\n`)
  })

  test('perl counts the digits of pi, which takes CPU', async () => {
    const world = new World()
    const container = await world.run({ image: 'perl:5.34.0', command: ['perl', '-Mbignum=bpi', '-wle', 'print bpi(50)'], cpuLimit: 1 })
    await world.clock.advance(5000)
    expect(world.text(container)).toBe('3.1415926535897932384626433832795028841971693993751\n')
  })

  test('an image of unknown contents runs and says so', async () => {
    const world = new World()
    const container = await world.run({ image: 'ghcr.io/acme/shop:2' })
    await world.clock.advance(100)
    expect(container.state).toBe('running')
    expect(world.text(container)).toContain('not known to the embedded engine')
  })
})
