import { createSecureContext } from 'node:tls'
import { linearRegExp } from '../../machinery/linear-regexp.ts'
import { type HttpRequest, type HttpResponse, NetworkError, type ServerTls } from '../../network/network.ts'
import type { Process, Program } from '../kernel/process.ts'
import { contentType } from '../programs/httpd.ts'
import { glob } from '../shell/expand.ts'
import { Errno } from '../vfs/errno.ts'
import { contentOf } from '../vfs/node.ts'
import { answer, combinedLog, header, listenHttp, statusTexts } from './http.ts'
import { ConfigFault, type Directive, readConfig } from './nginx-config.ts'

/** nginx with the parts of its configuration that lessons use: servers by name, locations, files, return, proxy_pass, error pages. */
export const nginx: Program = { run, memoryBytes: 7 * 1024 * 1024 }

const version = '1.27.5'
const configPath = '/etc/nginx/nginx.conf'

interface Server {
  ports: Listen[]
  names: string[]
  directives: Directive[]
}

interface Listen {
  port: number
  /** An address where it does not listen on all. */
  host?: string
  isDefault: boolean
  ssl: boolean
}

interface Site {
  http: Directive[]
  servers: Server[]
  upstreams: Map<string, string[]>
}

async function run(process: Process): Promise<number> {
  const { args } = process
  const flag = (name: string) => {
    const at = args.indexOf(name)
    return at === -1 ? undefined : args[at + 1]
  }
  if (args.includes('-v') || args.includes('-V')) {
    await process.complain(`nginx version: nginx/${version}\n`)
    return 0
  }
  const path = flag('-c') ?? configPath
  const signal = flag('-s')
  if (signal !== undefined) return sendSignal(process, signal)
  let site: Site
  try {
    site = load(process, path)
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error
    await process.complain(
      `nginx: ${error.message.replace(' 1#1:', '')}\n${args.includes('-t') || args.includes('-T') ? `nginx: configuration file ${path} test failed\n` : ''}`,
    )
    return 1
  }
  if (args.includes('-t') || args.includes('-T')) {
    await process.complain(`nginx: the configuration file ${path} syntax is ok\nnginx: configuration file ${path} test is successful\n`)
    if (args.includes('-T'))
      await process.print(`# configuration file ${path}:\n${new TextDecoder().decode(await process.readWhole(path))}\n`)
    return 0
  }
  return serve(process, site, path)
}

async function sendSignal(process: Process, name: string): Promise<number> {
  const signals = { stop: 'TERM', quit: 'QUIT', reload: 'HUP', reopen: 'USR1' } as const
  if (!(name in signals)) {
    await process.complain(`nginx: invalid option: "-s ${name}"\n`)
    return 1
  }
  const master = [...process.machine.processes.values()].find(
    (each) => each.name.startsWith('nginx') && each !== process && each.pid < process.pid,
  )
  if (!master) {
    await process.complain('nginx: [error] open() "/run/nginx.pid" failed (2: No such file or directory)\n')
    return 1
  }
  if (name === 'reload') {
    try {
      load(process, configPath)
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error
      await process.complain(`nginx: ${error.message.replace(' 1#1:', '')}\n`)
      return 1
    }
  }
  master.kill(signals[name as keyof typeof signals])
  return 0
}

function load(process: Process, path: string): Site {
  const read = (file: string) => {
    const node = process.fs.lookup(file, process.who)
    if (node.type !== 'file') throw new Errno('EISDIR')
    return new TextDecoder().decode(contentOf(node, process))
  }
  let main: Directive[]
  try {
    main = readConfig(path, read, (pattern) => glob(process, pattern))
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    throw new ConfigFault(`[emerg] 1#1: open() "${path}" failed (${error.code === 'ENOENT' ? 2 : 13}: ${error.message})`)
  }
  if (!main.some((each) => each.name === 'events')) throw new ConfigFault('[emerg] 1#1: no "events" section in configuration')
  const http = main.find((each) => each.name === 'http')?.block ?? []
  const upstreams = new Map<string, string[]>()
  for (const each of http)
    if (each.name === 'upstream')
      upstreams.set(
        each.args[0] ?? '',
        (each.block ?? []).filter((one) => one.name === 'server').map((one) => one.args[0] ?? ''),
      )
  const servers = http
    .filter((each) => each.name === 'server')
    .map((each): Server => {
      const directives = each.block ?? []
      const listens = directives.filter((one) => one.name === 'listen')
      const ports = listens.map((one) => {
        const match = /(?:^|:)(\d+)$/.exec(one.args[0] ?? '')
        if (!match && !/^[\w.*[\]:-]+$/.test(one.args[0] ?? ''))
          throw new ConfigFault(`[emerg] 1#1: host not found in "${one.args[0]}" of the "listen" directive in ${one.file}:${one.line}`)
        const ssl = one.args.includes('ssl')
        if (ssl) checkCertificates(process, [...directives, ...http], one)
        const host = /^([\d.]+):\d+$/.exec(one.args[0] ?? '')?.[1]
        return { port: match ? Number(match[1]) : 80, isDefault: one.args.includes('default_server'), ssl, ...(host ? { host } : {}) }
      })
      return {
        ports: ports.length > 0 ? ports : [{ port: 80, isDefault: false, ssl: false }],
        names: directives.filter((one) => one.name === 'server_name').flatMap((one) => one.args),
        directives,
      }
    })
  for (const server of servers) for (const location of locationsOf(server.directives)) checkProxy(location)
  return { http, servers, upstreams }
}

const certificateDirectives = ['ssl_certificate', 'ssl_certificate_key'] as const

/** Reads what a server with `listen ... ssl` needs. Throws ConfigFault in nginx' words. */
function checkCertificates(process: Process, scope: readonly Directive[], listen: Directive): { certificate: string; key: string } {
  const [certificate = '', key = ''] = certificateDirectives.map((name) => {
    const path = scope.find((each) => each.name === name)?.args[0]
    if (path === undefined) {
      throw new ConfigFault(`[emerg] 1#1: no "${name}" is defined for the "listen ... ssl" directive in ${listen.file}:${listen.line}`)
    }
    const full = path.startsWith('/') ? path : `/etc/nginx/${path}`
    const node = process.fs.find(full, process.who)
    if (node?.type === 'file') return new TextDecoder().decode(contentOf(node, process))
    const what = name === 'ssl_certificate' ? 'certificate' : 'certificate key'
    const reason = `error:80000002:system library::No such file or directory:calling fopen(${full}, r) error:10000080:BIO routines::no such file`
    throw new ConfigFault(`[emerg] 1#1: cannot load ${what} "${full}": BIO_new_file() failed (SSL: ${reason})`)
  })
  try {
    createSecureContext({ cert: certificate, key })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigFault(`[emerg] 1#1: SSL_CTX_use_PrivateKey() failed (SSL: ${why})`)
  }
  return { certificate, key }
}

/** The certificate of the server that a port's clients get. */
function tlsOf(process: Process, site: Site, port: number): ServerTls | undefined {
  const server = site.servers.find((each) => each.ports.some((one) => one.port === port && one.ssl))
  const listen = server?.directives.find((one) => one.name === 'listen' && one.args.includes('ssl'))
  if (!server || !listen) return undefined
  const plain = errorPage(400)
  const body = new TextDecoder()
    .decode(plain.body)
    .replace('<title>400 Bad Request', '<title>400 The plain HTTP request was sent to HTTPS port')
    .replace('</h1></center>', '</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>')
  return {
    ...checkCertificates(process, [...server.directives, ...site.http], listen),
    plain: {
      ...answer(400, body, { Server: `nginx/${version}`, 'Content-Type': 'text/html', Connection: 'close' }),
      reason: 'Bad Request',
    },
  }
}

function checkProxy(location: Directive): void {
  for (const each of location.block ?? []) {
    if (each.name === 'proxy_pass' && !/^https?:\/\//.test(each.args[0] ?? ''))
      throw new ConfigFault(`[emerg] 1#1: invalid URL prefix in ${each.file}:${each.line}`)
  }
}

async function serve(process: Process, first: Site, path: string): Promise<number> {
  const { machine } = process
  let site = first
  let listeners = new Map<number, Disposable>()
  const counters = { accepted: 0 }
  const notice = (text: string) =>
    process.complain(
      `${new Date(machine.now()).toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} [notice] ${process.pid}#${process.pid}: ${text}\n`,
    )
  const listen = async (): Promise<boolean> => {
    const next = new Map<number, Disposable>()
    const listens = new Map(site.servers.flatMap((server) => server.ports.map((each) => [each.port, each] as const)))
    for (const [port, { host }] of listens) {
      const kept = listeners.get(port)
      const tls = tlsOf(process, site, port)
      // A reload takes new certificates up.
      if (kept && tls) kept[Symbol.dispose]()
      else if (kept) {
        next.set(port, kept)
        continue
      }
      if (process.uid !== 0 && port < 1024) {
        await process.complain(`nginx: [emerg] bind() to 0.0.0.0:${port} failed (13: Permission denied)\n`)
        return false
      }
      try {
        next.set(
          port,
          listenHttp(
            process,
            port,
            async (request, peer) => {
              counters.accepted++
              const { response, logged } = await handle(process, site, port, request, peer, counters)
              const forwarded = header(request.headers, 'x-forwarded-for') ?? '-'
              if (logged) await process.print(combinedLog(machine.now(), request, peer, response, ` "${forwarded}"`))
              return response
            },
            { host, ...(tls ? { tls } : {}) },
          ),
        )
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error
        await process.complain(`nginx: [emerg] bind() to ${host ?? '0.0.0.0'}:${port} failed (98: Address already in use)\n`)
        return false
      }
    }
    for (const [port, listener] of listeners) if (!next.has(port)) listener[Symbol.dispose]()
    listeners = next
    return true
  }
  if (!(await listen())) return 1
  let reload = false
  let stop: 'TERM' | 'QUIT' | undefined
  let wake = (): void => {}
  for (const signal of ['TERM', 'INT', 'QUIT'] as const) {
    process.trap(signal, () => {
      stop = signal === 'QUIT' ? 'QUIT' : 'TERM'
      wake()
    })
  }
  process.trap('HUP', () => {
    reload = true
    wake()
  })
  process.trap('USR1', 'ignore')
  process.trap('WINCH', 'ignore')
  const worker = machine.fork(process, ['nginx: worker process'])
  if (process.resume() === undefined) {
    await notice('using the "epoll" event method')
    await notice(`nginx/${version}`)
    await notice('OS: Linux 6.12.0-embedded')
    await notice('getrlimit(RLIMIT_NOFILE): 1048576:1048576')
    await notice('start worker processes')
    await notice(`start worker process ${worker.pid}`)
  }
  process.save({ serving: true })
  worker.memoryBytes = 2 * 1024 * 1024
  void machine.run(worker, () => worker.block<number>(() => undefined))
  process.title = `nginx: master process ${process.argv.join(' ')}`
  for (;;) {
    if (!stop && !reload) {
      await process.block<void>((resolve) => {
        wake = resolve
      })
    }
    if (stop) {
      await notice(`signal ${stop === 'QUIT' ? '3 (SIGQUIT) received, shutting down' : '15 (SIGTERM) received, exiting'}`)
      worker.kill('KILL')
      return 0
    }
    if (!reload) continue
    reload = false
    await notice('signal 1 (SIGHUP) received, reconfiguring')
    try {
      site = load(process, path)
      await listen()
      await notice('reconfiguring')
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error
      await process.complain(`nginx: ${error.message}\n`)
    }
  }
}

type Peer = { ip: string; port: number }

async function handle(
  process: Process,
  site: Site,
  port: number,
  request: HttpRequest,
  peer: Peer,
  counters: { accepted: number },
): Promise<{ response: HttpResponse; logged: boolean }> {
  const hostName = (header(request.headers, 'host') ?? '').replace(/:\d+$/, '').toLowerCase()
  const candidates = site.servers.filter((server) => server.ports.some((each) => each.port === port))
  const server =
    candidates.find((each) => each.names.some((name) => nameMatches(name, hostName))) ??
    candidates.find((each) => each.ports.some((one) => one.port === port && one.isDefault)) ??
    candidates[0]
  if (!server) return { response: errorPage(404), logged: true }
  let path = decode(request.path.split('?')[0] as string)
  let scopes: Directive[][] = []
  let response: HttpResponse | undefined
  for (let hop = 0; hop < 10 && !response; hop++) {
    const location = findLocation(server.directives, path)
    scopes = [location?.block ?? [], server.directives, site.http]
    const result = await respond(process, site, scopes, location, path, request, peer, counters)
    if (typeof result === 'string') path = result
    else response = result
  }
  response ??= errorPage(500)
  const page = scopes.flat().find((each) => each.name === 'error_page' && each.args.slice(0, -1).includes(String(response?.status)))
  const target = page?.args.at(-1)
  if (target?.startsWith('/')) {
    const location = findLocation(server.directives, target)
    const inner = await respond(
      process,
      site,
      [location?.block ?? [], server.directives, site.http],
      location,
      target,
      { ...request, method: 'GET' },
      peer,
      counters,
    )
    if (typeof inner !== 'string' && inner.status === 200) response = { ...inner, status: response.status }
  }
  response = {
    ...response,
    headers: {
      Server: setting(scopes, 'server_tokens')?.[0] === 'off' ? 'nginx' : `nginx/${version}`,
      Date: new Date(process.machine.now()).toUTCString(),
      ...response.headers,
      Connection: header(request.headers, 'connection')?.toLowerCase() === 'close' ? 'close' : 'keep-alive',
    },
  }
  for (const each of scopes.find((scope) => scope.some((one) => one.name === 'add_header')) ?? []) {
    if (each.name === 'add_header') response.headers[each.args[0] ?? ''] = substitute(process, each.args[1] ?? '', request, peer)
  }
  if (request.method === 'HEAD') response = { ...response, body: new Uint8Array(0) }
  return { response, logged: setting(scopes, 'access_log')?.[0] !== 'off' }
}

/** A response, or the path of an internal redirect. */
async function respond(
  process: Process,
  site: Site,
  scopes: Directive[][],
  location: Directive | undefined,
  path: string,
  request: HttpRequest,
  peer: Peer,
  counters: { accepted: number },
): Promise<HttpResponse | string> {
  const own = scopes[0] as Directive[]
  const direct = own.find((each) => each.name === 'return') ?? (scopes[1] as Directive[]).find((each) => each.name === 'return')
  if (direct) return returned(process, direct, request, peer)
  if (own.some((each) => each.name === 'deny' && each.args[0] === 'all')) return errorPage(403)
  if (own.some((each) => each.name === 'stub_status')) {
    return answer(
      200,
      `Active connections: 1 \nserver accepts handled requests\n ${counters.accepted} ${counters.accepted} ${counters.accepted} \nReading: 0 Writing: 1 Waiting: 0 \n`,
      { 'Content-Type': 'text/plain' },
    )
  }
  for (const each of own.filter((one) => one.name === 'rewrite')) {
    const match = linearRegExp(each.args[0] ?? '').exec(path)
    if (!match) continue
    const next = (each.args[1] ?? '').replace(/\$(\d)/g, (_, group: string) => match[Number(group)] ?? '')
    if (/^https?:|^redirect$|^permanent$/.test(each.args[2] ?? next)) return redirect(each.args[2] === 'permanent' ? 301 : 302, next)
    if (next !== path) return next
  }
  const proxied = own.find((each) => each.name === 'proxy_pass')
  if (proxied) return proxy(process, site, own, location, proxied, path, request, peer)
  const alias = own.find((each) => each.name === 'alias')?.args[0]
  const root = setting(scopes, 'root')?.[0] ?? '/etc/nginx/html'
  const prefix = location?.args.at(-1) ?? '/'
  const fileOf = (each: string) => (alias !== undefined ? alias + each.slice(prefix.length) : `${root}${each}`)
  const tries = own.find((each) => each.name === 'try_files') ?? (scopes[1] as Directive[]).find((each) => each.name === 'try_files')
  if (tries) {
    for (const each of tries.args.slice(0, -1)) {
      const candidate = each.replaceAll('$uri', path)
      const node = process.fs.find(fileOf(candidate), process.who)
      if (node?.type === (candidate.endsWith('/') ? 'dir' : 'file'))
        return file(process, scopes, fileOf(candidate), candidate, request, peer)
    }
    const fallback = tries.args.at(-1) as string
    if (fallback.startsWith('=')) return errorPage(Number(fallback.slice(1)))
    return fallback.replaceAll('$uri', path) === path ? errorPage(500) : fallback.replaceAll('$uri', path).replace(/\?.*$/, '')
  }
  return file(process, scopes, fileOf(path), path, request, peer)
}

async function file(
  process: Process,
  scopes: Directive[][],
  at: string,
  path: string,
  request: HttpRequest,
  peer: Peer,
): Promise<HttpResponse> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return errorPage(405)
  const log = (text: string) =>
    process.complain(
      `${new Date(process.machine.now()).toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} [error] ${process.pid + 28}#${process.pid + 28}: *1 ${text}, client: ${peer.ip}, server: localhost, request: "${request.method} ${request.path} HTTP/1.1", host: "${header(request.headers, 'host') ?? ''}"\n`,
    )
  let target = at
  let node = process.fs.find(target, process.who)
  if (node?.type === 'dir') {
    if (!path.endsWith('/')) return redirect(301, `${path}/`)
    const names = setting(scopes, 'index') ?? ['index.html']
    const found = names
      .map((name) => `${target.replace(/\/$/, '')}/${name}`)
      .find((each) => process.fs.find(each, process.who)?.type === 'file')
    if (found === undefined) {
      if (setting(scopes, 'autoindex')?.[0] === 'on') {
        const rows = process.fs
          .list(target, process.who)
          .map(([name, child]) => `<a href="${name}${child.type === 'dir' ? '/' : ''}">${name}${child.type === 'dir' ? '/' : ''}</a>\n`)
        return answer(
          200,
          `<html>\n<head><title>Index of ${path}</title></head>\n<body>\n<h1>Index of ${path}</h1><hr><pre><a href="../">../</a>\n${rows.join('')}</pre><hr></body>\n</html>\n`,
          { 'Content-Type': 'text/html' },
        )
      }
      await log(`directory index of "${target}" is forbidden`)
      return errorPage(403)
    }
    target = found
    node = process.fs.find(target, process.who)
  }
  if (node?.type !== 'file') {
    await log(`open() "${target}" failed (2: No such file or directory)`)
    return errorPage(404)
  }
  if (!process.fs.access(node, process.who, 4)) {
    await log(`open() "${target}" failed (13: Permission denied)`)
    return errorPage(403)
  }
  const type = contentType(target)
  return answer(200, contentOf(node, process).slice(), {
    'Content-Type':
      type === 'application/octet-stream' && !target.slice(target.lastIndexOf('/')).includes('.')
        ? (setting(scopes, 'default_type')?.[0] ?? type)
        : type,
    'Last-Modified': new Date(node.mtime).toUTCString(),
    ETag: `"${Math.floor(node.mtime / 1000).toString(16)}-${node.size.toString(16)}"`,
    'Accept-Ranges': 'bytes',
  })
}

async function proxy(
  process: Process,
  site: Site,
  own: Directive[],
  location: Directive | undefined,
  directive: Directive,
  path: string,
  request: HttpRequest,
  peer: Peer,
): Promise<HttpResponse> {
  const match = /^https?:\/\/([^/:]+)(?::(\d+))?(\/.*)?$/.exec(substitute(process, directive.args[0] ?? '', request, peer))
  if (!match) return errorPage(500)
  const [, name = '', portText, uri] = match
  const backends = site.upstreams.get(name)
  const backend = backends?.[Math.floor(process.machine.random() * backends.length)]
  const [host = name, port = portText ?? '80'] = backend?.split(':') ?? []
  const query = request.path.includes('?') ? request.path.slice(request.path.indexOf('?')) : ''
  const target = uri === undefined ? path : uri + path.slice((location?.args.at(-1) ?? '/').length)
  const headers: Record<string, string> = {
    ...request.headers,
    Host: portText && !backend ? `${name}:${portText}` : name,
    Connection: 'close',
  }
  for (const each of own)
    if (each.name === 'proxy_set_header') headers[each.args[0] ?? ''] = substitute(process, each.args[1] ?? '', request, peer)
  try {
    return await process.within(60_000, (signal) =>
      process.machine.network.http(host, Number(port), { ...request, path: target + query, headers }, signal),
    )
  } catch (error) {
    if (process.ended) throw error
    const late = error instanceof Error && error.message === 'timed out'
    const reason =
      error instanceof NetworkError
        ? {
            ECONNREFUSED: '111: Connection refused',
            EHOSTUNREACH: '113: No route to host',
            ENETUNREACH: '101: Network is unreachable',
            ETIMEDOUT: '110: Connection timed out',
            ENOTFOUND: 'host not found',
            ECONNRESET: '104: Connection reset by peer',
            EADDRINUSE: '98',
          }[error.code]
        : '110: Connection timed out'
    await process.complain(
      `${new Date(process.machine.now()).toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} [error] 29#29: *1 connect() failed (${reason}) while connecting to upstream, client: ${peer.ip}, server: , request: "${request.method} ${request.path} HTTP/1.1", upstream: "http://${host}:${port}${target}"\n`,
    )
    return errorPage(late || (error instanceof NetworkError && error.code === 'ETIMEDOUT') ? 504 : 502)
  }
}

function returned(process: Process, directive: Directive, request: HttpRequest, peer: Peer): HttpResponse {
  const [first = '', second] = directive.args
  if (!/^\d+$/.test(first)) return redirect(302, substitute(process, first, request, peer))
  const status = Number(first)
  if (second === undefined) return status < 300 ? answer(status, '') : errorPage(status)
  const text = substitute(process, second, request, peer)
  if (status >= 301 && status <= 308 && status !== 304) return redirect(status, text)
  return answer(status, text, { 'Content-Type': 'application/octet-stream' })
}

function substitute(process: Process, text: string, request: HttpRequest, peer: Peer): string {
  const host = header(request.headers, 'host') ?? ''
  const values: Record<string, string> = {
    host: host.replace(/:\d+$/, ''),
    http_host: host,
    hostname: process.machine.hostname,
    uri: decode(request.path.split('?')[0] as string),
    request_uri: request.path,
    args: request.path.split('?')[1] ?? '',
    remote_addr: peer.ip,
    remote_port: String(peer.port),
    scheme: 'http',
    request_method: request.method,
    server_addr: process.machine.network.ip,
    proxy_add_x_forwarded_for: [header(request.headers, 'x-forwarded-for'), peer.ip].filter(Boolean).join(', '),
    time_iso8601: new Date(process.machine.now()).toISOString(),
    nginx_version: version,
    server_protocol: 'HTTP/1.1',
    status: '200',
    pid: String(process.pid),
  }
  return text
    .replace(/\\n/g, '\n')
    .replace(
      /\$\{?(\w+)\}?/g,
      (whole, name: string) =>
        values[name] ??
        (name.startsWith('http_')
          ? (header(request.headers, name.slice(5).replaceAll('_', '-')) ?? '')
          : name.startsWith('arg_')
            ? (new URLSearchParams(request.path.split('?')[1] ?? '').get(name.slice(4)) ?? '')
            : whole),
    )
}

function redirect(status: number, to: string): HttpResponse {
  const page = errorPage(status)
  return { ...page, headers: { ...page.headers, Location: to } }
}

/** nginx' own words for some statuses. */
const reasons: Record<number, string> = { 405: 'Not Allowed', 503: 'Service Temporarily Unavailable', 504: 'Gateway Time-out' }

function errorPage(status: number): HttpResponse {
  const reason = reasons[status] ?? statusTexts[status] ?? ''
  const title = `${status} ${reason}`
  const page = answer(
    status,
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n<hr><center>nginx/${version}</center>\r\n</body>\r\n</html>\r\n`,
    { 'Content-Type': 'text/html' },
  )
  return { ...page, reason }
}

function setting(scopes: readonly Directive[][], name: string): string[] | undefined {
  for (const scope of scopes) {
    const found = scope.find((each) => each.name === name)
    if (found) return found.args
  }
  return undefined
}

function locationsOf(directives: readonly Directive[]): Directive[] {
  return directives.filter((each) => each.name === 'location').flatMap((each) => [each, ...locationsOf(each.block ?? [])])
}

/** As nginx chooses: = first, then the longest prefix, unless a regular expression matches and ^~ does not forbid it. */
function findLocation(directives: readonly Directive[], path: string): Directive | undefined {
  const locations = directives.filter((each) => each.name === 'location')
  const exact = locations.find((each) => each.args[0] === '=' && each.args[1] === path)
  if (exact) return exact
  const prefixes = locations.filter(
    (each) => (each.args.length === 1 || each.args[0] === '^~') && path.startsWith(each.args.at(-1) as string),
  )
  const longest = prefixes.sort((a, b) => (b.args.at(-1) as string).length - (a.args.at(-1) as string).length)[0]
  if (longest?.args[0] === '^~') return longest
  const regular = locations.find(
    (each) =>
      (each.args[0] === '~' || each.args[0] === '~*') && linearRegExp(each.args[1] ?? '', each.args[0] === '~*' ? 'i' : '').test(path),
  )
  return regular ?? longest
}

function nameMatches(pattern: string, host: string): boolean {
  if (pattern.startsWith('~')) return linearRegExp(pattern.slice(1)).test(host)
  if (pattern.startsWith('*.')) return host.endsWith(pattern.slice(1))
  if (pattern.endsWith('.*')) return host.startsWith(pattern.slice(0, -1))
  return pattern.toLowerCase() === host
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    return path
  }
}
