import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { asPlatformError } from '../platform/errors.ts'
import { services } from '../platform/services.ts'
import { ScriptedHost } from '../platform/testing/scripted-host.ts'
import { readConfig } from './config.ts'
import { createLog } from './log.ts'
import { type Parts, type RunningServer, startServer } from './server.ts'

let folder: string
let server: RunningServer
let host: ScriptedHost
let logged = ''
/** Everything that lets somebody in and must not be in a log. */
const secrets = new Set<string>()

const label = { en: 'Probe', zh: '探针' }

/** In the place of the pages: the routes this test needs, over the real services. */
const parts: Parts = {
  async openSandboxes() {
    host = new ScriptedHost()
    return {
      host,
      labs: new Map([
        [
          'gate',
          {
            slug: 'gate',
            minutes: 5,
            maxPoints: 1,
            trials: [],
            tasks: [{ id: 't1', maxPoints: 1, criteria: [{ id: 'c1', points: 1, label }] }],
          },
        ],
      ]),
      serveTerminal(socket, redeem) {
        socket.once('message', (data) =>
          redeem(JSON.parse(String(data)).ticket).then(
            (grant) => socket.send(JSON.stringify(grant)),
            (error) => socket.close(1008, error.code),
          ),
        )
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
  async openPages() {
    return {
      async handle(request, response) {
        const body: Buffer[] = []
        for await (const chunk of request) body.push(chunk as Buffer)
        const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
        const asked = new Request(`http://${request.headers.host}${request.url}`, {
          method: request.method ?? 'GET',
          headers,
          ...(body.length ? { body: Buffer.concat(body) } : {}),
        })
        const answer = await respond(asked)
        response.writeHead(answer.status, [...answer.headers].flat())
        response.end(Buffer.from(await answer.arrayBuffer()))
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
}

async function respond(request: Request): Promise<Response> {
  const { people, attempts } = services()
  const { pathname } = new URL(request.url)
  try {
    if (pathname.startsWith('/api/auth/')) return await people.handler(request)
    if (pathname === '/api/health') return Response.json(await services().health())
    const person = await people.current(request.headers)
    if (pathname === '/api/me') return Response.json(person)
    if (pathname === '/api/fault') throw new Error('no such thing', { cause: await failedQuery() })
    if (!person) return new Response(null, { status: 401 })
    const body = await request.json()
    if (pathname === '/api/first-run') return Response.json((await people.claimFirstRun(person, body.token)) ?? null)
    if (pathname === '/api/attempts') return Response.json(await attempts.start(person, body))
    return new Response(null, { status: 404 })
  } catch (error) {
    const known = asPlatformError(error)
    if (known.status >= 500) throw error
    return Response.json(known, { status: known.status })
  }
}

async function failedQuery(): Promise<unknown> {
  const { openDatabase } = await import('../platform/database.ts')
  const { session } = await import('../platform/schema.ts')
  await using database = await openDatabase({ folder: path.join(folder, 'other'), log: createLog('error') })
  await database.queries.transaction((change) => change.execute('drop table session'))
  return database.queries
    .select()
    .from(session)
    .where(eq(session.token, 'a-session-token-in-a-query'))
    .then(
      () => null,
      (error: unknown) => error,
    )
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'labernetes-server-'))
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged += chunk
      done()
    },
  })
  server = await startServer(readConfig({ PORT: '0', DATA_DIR: folder, LOG_LEVEL: 'debug' }), createLog('debug', destination), parts)
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** A request whose headers are exactly these (fetch would not let us choose Host and Origin). */
function ask(method: string, url: string, headers: Record<string, string> = {}, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const data = body === undefined ? undefined : JSON.stringify(body)
    const more = data === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(data)) }
    const sent = httpRequest(new URL(url, server.url), { method, headers: { ...more, ...headers } }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() })
    })
    sent.on('error', reject)
    sent.end(data)
  })
}

function own(): Record<string, string> {
  return { origin: server.url }
}

function cookiesOf(answer: Answer): string {
  const cookies = [answer.headers['set-cookie'] ?? []].flat().map((cookie) => cookie.split(';')[0]!)
  for (const cookie of cookies) secrets.add(decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1)).split('.')[0]!)
  return cookies.join('; ')
}

async function signUp(name: string): Promise<{ cookie: string; id: string }> {
  const password = `password-of-${name}`
  secrets.add(password)
  const answer = await ask('POST', '/api/auth/sign-up/email', own(), { name, email: `${name}@example.org`, password })
  expect(answer.status, answer.body).toBe(200)
  return { cookie: cookiesOf(answer), id: JSON.parse(answer.body).user.id }
}

async function signInAsGuest(headers: Record<string, string> = {}): Promise<Answer> {
  return ask('POST', '/api/auth/sign-in/anonymous', { ...own(), ...headers }, {})
}

describe('signing in', () => {
  it('gives a cookie that scripts cannot read and other sites do not send', async () => {
    const answer = await ask('POST', '/api/auth/sign-up/email', own(), {
      name: 'Ada',
      email: 'ada@example.org',
      password: 'a long password',
    })
    const cookie = String(answer.headers['set-cookie'])
    expect(cookie).toMatch(/labernetes\.session_token=[^;]+;.*HttpOnly; SameSite=Lax/)
    const me = await ask('GET', '/api/me', { cookie: cookiesOf(answer) })
    expect(JSON.parse(me.body)).toMatchObject({ name: 'Ada', email: 'ada@example.org', role: 'learner', guest: false })
  })

  it('does not let anybody choose a role', async () => {
    const answer = await ask('POST', '/api/auth/sign-up/email', own(), {
      name: 'Eve',
      email: 'eve@example.org',
      password: 'a long password',
      role: 'admin',
      isAnonymous: true,
    })
    const me = answer.status === 200 ? JSON.parse((await ask('GET', '/api/me', { cookie: cookiesOf(answer) })).body) : null
    expect(me?.role ?? 'refused').not.toBe('admin')
    const { cookie } = await signUp('mallory')
    await ask('POST', '/api/auth/update-user', { ...own(), cookie }, { role: 'admin' })
    expect(JSON.parse((await ask('GET', '/api/me', { cookie })).body).role).toBe('learner')
  })

  it('as a guest works on the machine itself', async () => {
    const answer = await signInAsGuest()
    expect(answer.status).toBe(200)
    expect(JSON.parse((await ask('GET', '/api/me', { cookie: cookiesOf(answer) })).body)).toMatchObject({ guest: true, email: null })
  })

  it.each([
    ['comes through a proxy', { 'x-forwarded-for': '203.0.113.7' }],
    ['comes through a proxy that says so in the standard way', { forwarded: 'for=203.0.113.7' }],
    ['is meant for a public address', { host: '198.51.100.4', origin: 'http://198.51.100.4' }],
    ['claims to be allowed', { host: '198.51.100.4', origin: 'http://198.51.100.4', 'x-labernetes-guest': 'allowed' }],
  ])('as a guest is refused when the request %s', async (_how, headers) => {
    const answer = await signInAsGuest(headers)
    expect(answer.status).toBe(403)
    expect(JSON.parse(answer.body).code).toBe('guests-refused')
  })

  it('keeps what a guest did when they sign up', async () => {
    const guest = cookiesOf(await signInAsGuest())
    const started = JSON.parse((await ask('POST', '/api/attempts', { ...own(), cookie: guest }, { lab: 'gate' })).body)
    const answer = await ask(
      'POST',
      '/api/auth/sign-up/email',
      { ...own(), cookie: guest },
      { name: 'Grown', email: 'grown@example.org', password: 'a long password' },
    )
    const again = await ask('POST', '/api/attempts', { ...own(), cookie: cookiesOf(answer) }, { lab: 'gate' })
    expect(JSON.parse(again.body).id).toBe(started.id)
    expect((await ask('GET', '/api/me', { cookie: guest })).body).toBe('null')
  })
})

describe('the first-run link', () => {
  it('makes one administrator, once, and only of somebody with an account', async () => {
    const token = new URL(server.firstRunLink!).hash.slice(1)
    secrets.add(token)
    expect(new URL(server.firstRunLink!).pathname).toBe('/first-run')
    const guest = cookiesOf(await signInAsGuest())
    expect((await ask('POST', '/api/first-run', { ...own(), cookie: guest }, { token })).status).toBe(403)
    const first = await signUp('first')
    expect((await ask('POST', '/api/first-run', { ...own(), cookie: first.cookie }, { token: 'guessed' })).status).toBe(410)
    expect((await ask('POST', '/api/first-run', { ...own(), cookie: first.cookie }, { token })).status).toBe(200)
    expect(JSON.parse((await ask('GET', '/api/me', { cookie: first.cookie })).body).role).toBe('admin')
    const second = await signUp('second')
    expect((await ask('POST', '/api/first-run', { ...own(), cookie: second.cookie }, { token })).status).toBe(410)
    expect((await ask('GET', '/metrics', { cookie: second.cookie, 'x-forwarded-for': '203.0.113.7' })).status).toBe(403)
    expect((await ask('GET', '/metrics', { cookie: first.cookie, 'x-forwarded-for': '203.0.113.7' })).body).toContain(
      'labernetes_sandboxes',
    )
  })
})

describe('requests', () => {
  it('are answered with health', async () => {
    const { status, body } = await ask('GET', '/api/health')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({
      status: 'ok',
      version: expect.any(String),
      engines: { embedded: { capabilities: { pods: true } } },
      sandboxes: expect.any(Number),
    })
  })

  it('for a host name that is not ours are refused', async () => {
    for (const hostName of ['attacker.example', 'localhost.attacker.example', '127.0.0.1@attacker.example'])
      expect((await ask('GET', '/api/health', { host: hostName })).status, hostName).not.toBe(200)
    expect((await ask('GET', '/api/health', { host: 'localhost:1' })).status).toBe(200)
  })

  it('from other sites change nothing', async () => {
    const { cookie } = await signUp('target')
    const body = { lab: 'gate' }
    expect((await ask('POST', '/api/attempts', { cookie, origin: 'http://attacker.example' }, body)).status).toBe(403)
    expect((await ask('POST', '/api/attempts', { cookie, origin: 'null' }, body)).status).toBe(403)
    expect((await ask('POST', '/api/attempts', { cookie }, body)).status).toBe(403)
    expect((await ask('POST', '/api/attempts', { cookie, ...own() }, body)).status).toBe(200)
  })

  it('that are too large are refused before they are read', async () => {
    expect((await ask('POST', '/api/attempts', { ...own(), 'content-length': '2000000' })).status).toBe(413)
  })

  it('get the headers that keep a page in its place', async () => {
    const { headers } = await ask('GET', '/api/health')
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'same-origin' })
    expect(headers['content-security-policy']).toMatch(/script-src 'self' 'nonce-[A-Za-z0-9+/=]{24}'/)
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect((await ask('GET', '/api/health')).headers['content-security-policy']).not.toBe(headers['content-security-policy'])
  })
})

describe('the terminal socket', () => {
  let cookie: string
  let ticket: string

  beforeEach(async () => {
    cookie = (await signUp(`typist${secrets.size}`)).cookie
    const who = (await services().people.current(new Headers({ cookie })))!
    const { id } = await services().attempts.start(who, { lab: 'gate' })
    await vi.waitFor(async () => expect((await services().attempts.get(who, id)).lease.state).toBe('ready'), { timeout: 30_000 })
    const terminal = await services().attempts.openTerminal(who, id, null)
    ticket = (await services().attempts.terminalTicket(who, id, terminal.id)).ticket
    secrets.add(ticket)
  })

  function open(headers: Record<string, string>, at = '/ws/terminal'): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(new URL(at, server.url.replace('http', 'ws')), { headers })
      socket.once('open', () => resolve(socket))
      socket.once('unexpected-response', (_request, response) => {
        socket.terminate()
        reject(new Error(String(response.statusCode)))
      })
      socket.once('error', () => {})
    })
  }

  function answerTo(socket: WebSocket, shown: string): Promise<string> {
    return new Promise((resolve) => {
      socket.once('message', (data) => resolve(String(data)))
      socket.once('close', (_code, reason) => resolve(String(reason)))
      socket.send(JSON.stringify({ ticket: shown }))
    })
  }

  it('opens with a ticket, once', async () => {
    const first = await open(own())
    expect(JSON.parse(await answerTo(first, ticket))).toMatchObject({ mode: 'write' })
    const second = await open(own())
    expect(await answerTo(second, ticket)).toBe('ticket-refused')
    first.terminate()
  })

  it('does not open for another site, another host, or elsewhere', async () => {
    await expect(open({ origin: 'http://attacker.example', cookie })).rejects.toThrow('403')
    await expect(open({ cookie })).rejects.toThrow('403')
    await expect(open({ host: 'attacker.example', origin: 'http://attacker.example' })).rejects.toThrow('421')
    await expect(open(own(), '/ws/other')).rejects.toThrow('404')
  })
})

describe('what is kept and logged', () => {
  it('is a secret that only the server reads', async () => {
    expect((await stat(path.join(folder, 'secret'))).mode & 0o777).toBe(0o600)
    secrets.add((await readFile(path.join(folder, 'secret'), 'utf8')).trim())
  })

  it('holds nothing that lets anybody in', async () => {
    expect((await ask('GET', '/api/fault')).status).toBe(500)
    expect(logged).toContain('no such thing')
    expect(logged).toContain('from \\"session\\"')
    expect(logged).not.toContain('a-session-token-in-a-query')
    expect(secrets.size).toBeGreaterThan(10)
    for (const secret of secrets) expect(logged.includes(secret), `a secret of ${secret.length} characters is in the log`).toBe(false)
  })
})
