import { describe, expect, test } from 'vitest'
import { World } from '../../test-world.ts'

const image = 'registry.k8s.io/e2e-test-images/agnhost:2.56'

async function ends(args: string[], env: Record<string, string> = {}): Promise<{ code: number; text: string }> {
  const world = new World()
  const container = await world.run({ image, args, env: Object.entries(env).map(([name, value]) => ({ name, value })) })
  for (let step = 0; !container.exit && step < 100; step++) await world.clock.advance(100)
  return { code: container.exit?.exitCode ?? -1, text: world.text(container) }
}

async function server(args: string[], env: Record<string, string> = {}) {
  const world = new World()
  const container = await world.run({ image, args, env: Object.entries(env).map(([name, value]) => ({ name, value })) })
  await world.clock.advance(10)
  const get = async (port: number, path: string, method = 'GET', body = '') => {
    const answered = world.network.http('127.0.0.1', port, { method, path, headers: { Host: 'x' }, body: Buffer.from(body) })
    let outcome: string | undefined
    void answered.then(
      ({ status, body: text }) => {
        outcome = `${status} ${Buffer.from(text).toString()}`
      },
      (error: Error) => {
        outcome = error.message
      },
    )
    for (let step = 0; outcome === undefined && step < 200; step++) await world.clock.advance(50)
    return outcome
  }
  return { world, container, get }
}

describe('command line', () => {
  test('an unknown subcommand or flag is refused in words like those of cobra', async () => {
    expect(await ends(['dance'])).toEqual({ code: 1, text: `Error: unknown command "dance" for "app"\nRun 'app --help' for usage.\n` })
    expect((await ends(['netexec', '--color=red'])).text).toContain('Error: unknown flag: --color')
    expect((await ends(['netexec', '--http-port=many'])).text).toContain('invalid argument "many" for "--http-port" flag')
  })

  test('entrypoint-tester prints its own name and all arguments', async () => {
    expect(await ends(['entrypoint-tester', 'override', 'arguments'])).toEqual({
      code: 0,
      text: '[/agnhost entrypoint-tester override arguments]\n',
    })
  })

  test('etc-hosts and dns-suffix print what the resolver is told', async () => {
    expect((await ends(['dns-suffix'])).text).toBe('default.svc.cluster.local,svc.cluster.local,cluster.local\n')
    expect((await ends(['dns-server-list'])).text).toBe('10.96.0.10\n')
    expect((await ends(['etc-hosts'])).text).toContain('127.0.0.1\tlocalhost')
  })

  test('mounttest writes with the mode asked for, and tells modes, owners and contents in order', async () => {
    const { code, text } = await ends([
      'mounttest',
      '--fs_type=/dev/shm',
      '--new_file_0666=/tmp/f',
      '--file_perm=/tmp/f',
      '--file_mode=/tmp',
      '--file_owner=/tmp/f',
    ])
    expect(text).toBe(
      'mount type of "/dev/shm": tmpfs\ncontent of file "/tmp/f": mount-tester new file\n\nmode of file "/tmp": dtrwxrwxrwx\nperms of file "/tmp/f": -rw-rw-rw-\nowner UID of "/tmp/f": 0\nowner GID of "/tmp/f": 0\n',
    )
    expect(code).toBe(0)
    expect(await ends(['mounttest', '--file_content=/nope'])).toEqual({
      code: 1,
      text: 'error reading file content for "/nope": open /nope: no such file or directory\n',
    })
  })
})

describe('netexec', () => {
  test('tells about itself and the request', async () => {
    const { get } = await server(['netexec', '--http-port=8083'])
    expect(await get(8083, '/hostname')).toBe('200 pod-0001')
    expect(await get(8083, '/clientip')).toBe('200 10.244.1.9:40000')
    expect(await get(8083, '/echo?msg=a%20b&code=418')).toBe('418 a b')
    expect(await get(8083, '/healthz')).toBe('200 ')
    expect(await get(8083, '/redirect?location=/hostname&code=307')).toMatch(/^307 /)
    expect(await get(8083, '/no/such')).toMatch(/^200 NOW: 2026-11-21 10:00:0/)
  })

  test('runs a shell command and tells how it ended', async () => {
    const { get } = await server(['netexec'])
    expect(await get(8080, '/shell?cmd=echo%20hi;%20exit%203')).toBe('200 {"error":"exit status 3","output":"hi\\n"}')
  })

  test('dials by HTTP and UDP, and says what went wrong', async () => {
    const { get } = await server(['netexec'])
    expect(await get(8080, '/dial?request=hostname&protocol=http&host=10.244.1.5&port=8080&tries=2')).toBe(
      '200 {"responses":["pod-0001","pod-0001"]}',
    )
    expect(await get(8080, '/dial?request=echo%20Hello&protocol=udp&host=10.244.1.5&port=8081&tries=1')).toBe('200 {"responses":["hello"]}')
    expect(await get(8080, '/dial?request=hostname&host=10.244.1.5&port=9&tries=1')).toBe(
      '200 {"errors":["Get \\"http://10.244.1.5:9/hostname\\": dial tcp 10.244.1.5:9: connect: connection refused"]}',
    )
    expect(await get(8080, '/dial?host=10.244.1.5&port=9')).toMatch(/^400 request parameter not specified/)
  })

  test('exits when and as it is told', async () => {
    const { world, container, get } = await server(['netexec'])
    expect(await get(8080, '/exit?code=5&wait=2s')).toBe('connection reset by peer')
    await world.clock.advance(100)
    expect(container.exit?.exitCode).toBe(5)
  })

  test('serves on after SIGTERM for as long as --delay-shutdown says, unready', async () => {
    const { world, container, get } = await server(['netexec', '--delay-shutdown=5'])
    expect(await get(8080, '/readyz')).toBe('200 ok')
    container.signal('SIGTERM')
    await world.clock.advance(1000)
    expect(await get(8080, '/readyz')).toBe('503 shutting down')
    await world.clock.advance(5000)
    expect(container.exit?.exitCode).toBe(0)
  })
})

describe('other servers', () => {
  test('liveness is healthy for ten seconds', async () => {
    const { world, get } = await server(['liveness'])
    expect(await get(8080, '/healthz')).toBe('200 ok')
    await world.clock.advance(11_000)
    expect(await get(8080, '/healthz')).toMatch(/^500 error: 1\d/)
  })

  test('porter serves what its variables say', async () => {
    const { get } = await server(['porter', '--json-response'], { SERVE_PORT_80: 'one & two', OTHER: 'x' })
    expect(await get(80, '/', 'PATCH')).toBe('200 {"Body":"one \\u0026 two","Method":"PATCH"}')
  })

  test('guestbook keeps what is set', async () => {
    const { get } = await server(['guestbook', '--http-port', '6379'])
    expect(await get(6379, '/set?key=messages&value=hi')).toBe('200 {"message":"Updated"}')
    expect(await get(6379, '/get?key=messages')).toBe('200 {"data":"hi"}')
    expect(await get(6379, '/register?host=10.0.0.9')).toBe('200 {"data":{"messages":"hi"}}')
  })

  test('test-webserver serves files and folders', async () => {
    const { get } = await server(['test-webserver'])
    expect(await get(80, '/etc/hostname')).toBe('200 pod-0001\n')
    expect(await get(80, '/nothing')).toBe('404 404 page not found\n')
    expect(await get(80, '/uploads/')).toContain('<pre>\n</pre>')
  })

  test('pause leaves the signal as its termination message', async () => {
    const { world, container } = await server(['pause'], { TERMINATION_MESSAGE_PATH: '/tmp/word' })
    container.signal('SIGTERM')
    await world.clock.advance(100)
    expect(container.exit?.exitCode).toBe(2)
    expect(Buffer.from(container.readFile('/tmp/word') ?? []).toString()).toBe('exiting because of signal "terminated"\n')
  })

  test('logs-generator writes its lines evenly', async () => {
    const { code, text } = await ends(['logs-generator', '--log-lines-total', '3', '--run-duration', '300ms'])
    expect(code).toBe(0)
    expect(text.trim().split('\n')).toHaveLength(3)
    expect(text).toMatch(
      /^I1121 10:00:00\.\d{6} {7}1 logs_generator\.go:76\] 0 (?:GET|POST|PUT) \/api\/v1\/namespaces\/[\w-]+\/pods\/\w+ \d{3}\n/,
    )
  })

  test('connect says in one word what went wrong', async () => {
    expect((await ends(['connect', '--timeout=5s', '10.244.1.5:81'])).text).toBe('REFUSED\n')
    expect((await ends(['connect', 'nowhere:81'])).text).toMatch(/^DNS: /)
    expect((await ends(['connect', '10.244.1.5'])).text).toMatch(/^UNKNOWN: /)
  })
})
