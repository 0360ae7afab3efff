import type { HttpProgress, HttpResponse } from '../../network/network.ts'
import { NetworkError } from '../../network/network.ts'
import { TlsError } from '../../network/tls.ts'
import type { Process, Run } from '../kernel/process.ts'
import { header, reasonOf } from '../servers/http.ts'
import { Errno } from '../vfs/errno.ts'
import { isTimeout, parseTarget, redirectOf, request, type Target } from './client.ts'
import { baseName } from './files.ts'
import { badOption, last, parseOptions } from './options.ts'
import { readBytes } from './text.ts'

/** wget and curl. */
export const webPrograms: Record<string, Run> = { wget, curl }

const never = 900_000
/** ms after which the kernel gives up a connection: before that it was --connect-timeout. */
const kernelPatience = 120_000

const wgetUsage =
  'BusyBox v1.36.1 multi-call binary.\n\nUsage: wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\t[--post-data STR | --post-file FILE] [-Y on/off]\n\t[--no-check-certificate] [-P DIR] [-U AGENT] [-T SEC] URL...\n'

/** busybox' wget: its options, its texts, its exit code 1. */
async function wget(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'qO:T:ScP:U:t:Y:so:nv', {
    spider: 'x',
    'post-data=': 'p',
    'post-file=': 'f',
    'header=': 'h',
    'timeout=': 'T',
    quiet: 'q',
    'no-check-certificate': 'k',
    'output-document=': 'O',
    'server-response': 'S',
    'tries=': 't',
    'user-agent=': 'U',
    'method=': 'm',
    'body-data=': 'p',
    'max-redirect=': 'r',
  })
  const bad = badOption(options)
  if (bad) return process.fail(`${bad}\n${wgetUsage}`.trimEnd())
  const quiet = options.flags.has('q')
  const [url] = options.operands
  if (url === undefined) {
    await process.complain(wgetUsage)
    return 1
  }
  const tell = async (text: string) => {
    if (!quiet) await process.complain(text)
  }
  let target = parseTarget(url)
  if (!target) return process.fail(`bad address '${url.replace(/^\w+:\/\//, '')}'`)
  if (target.badPort !== undefined) return process.fail(`bad port '${target.badPort}'`)
  const body =
    last(options, 'p') !== undefined
      ? Buffer.from(last(options, 'p') as string)
      : last(options, 'f') !== undefined
        ? await process.readWhole(last(options, 'f') as string)
        : undefined
  const timeoutMs = last(options, 'T') === undefined ? never : Number(last(options, 'T')) * 1000
  for (let hop = 0; hop < 20; hop++) {
    if (target.scheme !== 'http' && target.scheme !== 'https') return process.fail(`not an http or ftp url: ${url}`)
    const headers: Record<string, string> = { Host: hostHeader(target), 'User-Agent': last(options, 'U') ?? 'Wget', Connection: 'close' }
    if (body) Object.assign(headers, { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': String(body.length) })
    for (const each of options.values.get('h') ?? [])
      headers[each.slice(0, each.indexOf(':')).trim()] = each.slice(each.indexOf(':') + 1).trim()
    let response: HttpResponse
    try {
      const ip = await lookUp(process, target.host)
      await tell(`Connecting to ${hostHeader(target)} (${ip.includes(':') ? `[${ip}]` : ip}:${target.port})\n`)
      response = await request(process, target, {
        method: last(options, 'm') ?? (options.flags.has('x') ? 'HEAD' : body ? 'POST' : 'GET'),
        headers,
        body: body ?? new Uint8Array(0),
        timeoutMs,
        tls: { insecure: true },
      })
      if (target.scheme === 'https' && !options.flags.has('k'))
        await process.complain('wget: note: TLS certificate validation not implemented\n')
    } catch (error) {
      return wgetFailed(process, target, error)
    }
    const status = `HTTP/1.1 ${response.status} ${reasonOf(response)}`
    // An error ends wget before it reads the headers.
    const headersShown = Object.entries(response.headers).map(([name, value]) => `  ${name}: ${value}\n`)
    if (options.flags.has('S')) await process.complain(`  ${status}\n${response.status >= 400 ? '' : `${headersShown.join('')}  \n`}`)
    const next = redirectOf(target, response)
    if (next !== undefined) {
      target = parseTarget(next) ?? target
      continue
    }
    if (response.status >= 400 || response.status < 200) return process.fail(`server returned error: ${status}`)
    if (options.flags.has('x')) {
      await tell('remote file exists\n')
      return 0
    }
    return save(process, target, response, last(options, 'O'), last(options, 'P'), tell)
  }
  return process.fail('too many redirections')
}

async function save(
  process: Process,
  target: Target,
  response: HttpResponse,
  output: string | undefined,
  folder: string | undefined,
  tell: (text: string) => Promise<void>,
): Promise<number> {
  if (output === '-') {
    await tell(`writing to stdout\n`)
    await process.print(response.body)
    await tell(
      `${'-'.padEnd(20)} 100% |********************************| ${String(response.body.length).padStart(5)}  0:00:00 ETA\nwritten to stdout\n`,
    )
    return 0
  }
  const name =
    output ??
    `${folder ? `${folder}/` : ''}${target.path === '/' || target.path.endsWith('/') ? 'index.html' : baseName(target.path.split('?')[0] as string)}`
  try {
    if (output === undefined && process.fs.find(name, process.who)) return await process.fail(`can't open '${name}': File exists`)
    process.fs.write(name, response.body, process.who)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    return process.fail(`can't open '${name}': ${error.message}`)
  }
  await tell(
    `saving to '${name}'\n${baseName(name).padEnd(20)} 100% |********************************| ${String(response.body.length).padStart(5)}  0:00:00 ETA\n'${name}' saved\n`,
  )
  return 0
}

async function wgetFailed(process: Process, target: Target, error: unknown): Promise<number> {
  if (process.ended) throw error
  if (isTimeout(error)) return process.fail('download timed out')
  if (error instanceof TlsError) return process.fail('error getting response: Connection reset by peer')
  if (!(error instanceof NetworkError)) throw error
  if (error.code === 'ENOTFOUND') return process.fail(`bad address '${target.host}${target.port === 80 ? '' : `:${target.port}`}'`)
  const ip = await lookUp(process, target.host).catch(() => target.host)
  if (error.code === 'ECONNREFUSED') return process.fail(`can't connect to remote host (${ip}): Connection refused`)
  if (error.code === 'EHOSTUNREACH') return process.fail(`can't connect to remote host (${ip}): No route to host`)
  if (error.code === 'ENETUNREACH') return process.fail(`can't connect to remote host (${ip}): Network is unreachable`)
  return process.fail('error getting response: Connection reset by peer')
}

function hostHeader(target: Target): string {
  return target.port === (target.scheme === 'https' ? 443 : 80) ? target.host : `${target.host}:${target.port}`
}

async function lookUp(process: Process, host: string): Promise<string> {
  return await process.until(() => process.machine.network.lookup(host))
}

class CurlFault extends Error {
  readonly code: number
  /** What had come of an answer. */
  readonly part: HttpResponse | undefined
  constructor(code: number, text: string, part?: HttpResponse) {
    super(text)
    this.code = code
    this.part = part
  }
}

async function curl(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'sSfiIo:Ow:X:d:H:m:kvLu:A:e:E:F:x:b:c:GT:#qg46NZ', {
    silent: 's',
    'show-error': 'S',
    fail: 'f',
    include: 'i',
    head: 'I',
    'output=': 'o',
    'remote-name': 'O',
    'write-out=': 'w',
    'request=': 'X',
    'data=': 'd',
    'data-raw=': 'd',
    'data-binary=': 'd',
    'json=': 'j',
    'header=': 'H',
    'max-time=': 'm',
    'connect-timeout=': 't',
    insecure: 'k',
    verbose: 'v',
    location: 'L',
    'user=': 'u',
    'user-agent=': 'A',
    'retry=': 'r',
    'retry-delay=': 'y',
    'retry-connrefused': 'R',
    'retry-all-errors': 'R',
    'cacert=': 'C',
    'resolve=': '@',
    'connect-to=': '%',
    'max-redirs=': '!',
    get: 'G',
    http1: '1',
    'http1.1': '1',
    http2: '1',
    compressed: '1',
    'cert=': 'E',
    'key=': 'K',
    version: 'V',
    'no-buffer': 'N',
    'fail-with-body': 'f',
    'proto=': '1',
    'retry-max-time=': '1',
    'data-urlencode=': 'D',
    'noproxy=': '1',
    ipv4: '4',
    'no-progress-meter': 'q',
    'url=': '$',
    'interface=': 'B',
  })
  if (options.flags.has('V')) {
    await process.print('curl 8.9.1 (x86_64-pc-linux-musl) libcurl/8.9.1 OpenSSL/3.3.1\nProtocols: file http https\n')
    return 0
  }
  if (options.unknown ?? options.missing) {
    const option = options.unknown ?? (options.missing as string)
    await process.complain(
      `curl: option ${option.startsWith('--') ? option : `-${option}`}: ${options.unknown ? 'is unknown' : 'requires parameter'}\ncurl: try 'curl --help' for more information\n`,
    )
    return 2
  }
  const urls = [...options.operands, ...(options.values.get('$') ?? [])]
  if (urls.length === 0) {
    await process.complain("curl: (2) no URL specified\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
    return 2
  }
  let status = 0
  const retries = Number(last(options, 'r') ?? 0)
  for (const url of urls) {
    for (let attempt = 0; ; attempt++) {
      try {
        await transfer(process, url, options)
        status = 0
        break
      } catch (error) {
        if (!(error instanceof CurlFault)) throw error
        status = error.code
        const again =
          attempt < retries && (error.code === 28 || error.code === 22 || (error.code === 7 && options.flags.has('R')) || error.code === 6)
        if (!options.flags.has('s') || options.flags.has('S')) await process.complain(`curl: (${error.code}) ${error.message}\n`)
        if (!again) {
          const target = error.code === 22 ? undefined : parseTarget(url)
          const { part = noResponse } = error
          if (target) await writeOut(process, last(options, 'w'), part, target, '', process.machine.now(), 0, error)
          break
        }
        await process.sleep(Number(last(options, 'y') ?? 2 ** attempt) * 1000)
      }
    }
  }
  return status
}

async function transfer(process: Process, url: string, options: ReturnType<typeof parseOptions>): Promise<void> {
  const { flags } = options
  const started = process.machine.now()
  let target = parseTarget(url)
  if (!target) throw new CurlFault(3, 'URL rejected: No host part in the URL')
  const data: string[] = []
  for (const each of options.values.get('d') ?? []) {
    if (!each.startsWith('@')) data.push(each)
    else {
      const stdin = process.files.get(0)
      data.push(Buffer.from(each === '@-' && stdin ? await readBytes(process, stdin) : await process.readWhole(each.slice(1))).toString())
    }
  }
  for (const each of options.values.get('D') ?? [])
    data.push(each.replace(/^([^=]*=)?(.*)$/s, (_, name = '', value: string) => `${name}${encodeURIComponent(value)}`))
  const json = last(options, 'j')
  let body: Uint8Array = Buffer.from(json ?? data.join('&'))
  if (flags.has('G')) {
    target = { ...target, path: `${target.path}${target.path.includes('?') ? '&' : '?'}${data.join('&')}` }
    body = new Uint8Array(0)
  }
  const sends = (data.length > 0 || json !== undefined) && !flags.has('G')
  let method = last(options, 'X') ?? (flags.has('I') ? 'HEAD' : sends ? 'POST' : 'GET')
  const user = last(options, 'u') ?? target.user
  const limit = last(options, 'm')
  const timeoutMs = limit === undefined ? never : Number(limit) * 1000
  const connectMs = Number(last(options, 't') ?? 300) * 1000
  const source = last(options, 'B')
  if (source !== undefined && !['lo', 'eth0', '127.0.0.1', process.machine.network.ip].includes(source)) {
    throw new CurlFault(45, `Couldn't bind to '${source}'`)
  }
  let response: HttpResponse | undefined
  let ip = ''
  let redirects = 0
  for (;;) {
    if (target.scheme !== 'http' && target.scheme !== 'https') throw new CurlFault(1, `Protocol "${target.scheme}" not supported`)
    const headers: Record<string, string> = { Host: hostHeader(target), 'User-Agent': last(options, 'A') ?? 'curl/8.9.1', Accept: '*/*' }
    if (sends)
      Object.assign(headers, {
        'Content-Type': json === undefined ? 'application/x-www-form-urlencoded' : 'application/json',
        'Content-Length': String(body.length),
      })
    if (user !== undefined) headers['Authorization'] = `Basic ${Buffer.from(user).toString('base64')}`
    for (const each of options.values.get('H') ?? []) {
      const name = each.slice(0, each.search(/[:;]/)).trim()
      for (const existing of Object.keys(headers)) if (existing.toLowerCase() === name.toLowerCase()) delete headers[existing]
      const value = each.slice(each.indexOf(':') + 1).trim()
      if (value !== '') headers[name] = value
    }
    const tls = {
      insecure: flags.has('k'),
      ca: await pem(process, options, 'C'),
      cert: await pem(process, options, 'E'),
      key: await pem(process, options, 'K'),
    }
    const at = connectionOf(target, options)
    const { host, port, path } = target
    const told = Object.entries(headers).map(([name, value]) => `> ${name}: ${value}\n`)
    const opening = `> ${method} ${path} HTTP/1.1\n${told.join('')}> \n* Request completely sent off\n`
    const sent = () => `* Connected to ${host} (${ip}) port ${port}\n${opening}`
    const progress: HttpProgress = { body: [] }
    try {
      ip = await lookUp(process, at.host)
      if (flags.has('v')) await process.complain(`*   Trying ${ip}:${at.port}...\n`)
      const way = { timeoutMs, connectMs, tls, at: { host: ip, port: at.port } }
      response = await request(process, target, { method, headers, body, ...way, progress })
    } catch (error) {
      const fault = curlFault(process, target, error, started, progress)
      if (flags.has('v')) await process.complain(`${progress.connected ? sent() : ''}* ${fault.message.split('\n')[0]}\n`)
      if (fault.part) await deliver(process, fault.part.body, outputOf(target, options))
      throw fault
    }
    if (flags.has('v')) {
      await process.complain(
        `${sent()}< HTTP/1.1 ${response.status} ${reasonOf(response)}\n${Object.entries(response.headers)
          .map(([name, value]) => `< ${name}: ${value}\n`)
          .join('')}< \n`,
      )
    }
    const next: string | undefined = flags.has('L') ? redirectOf(target, response) : undefined
    if (next === undefined) break
    if (++redirects > Number(last(options, '!') ?? 50)) throw new CurlFault(47, `Maximum (${redirects - 1}) redirects followed`)
    target = parseTarget(next) ?? target
    if (response.status < 307 && method === 'POST' && last(options, 'X') === undefined) {
      method = 'GET'
      body = new Uint8Array(0)
    }
  }
  if (flags.has('f') && response.status >= 400) {
    await writeOut(process, last(options, 'w'), response, target, ip, started, redirects)
    throw new CurlFault(22, `The requested URL returned error: ${response.status}`)
  }
  const head =
    flags.has('i') || flags.has('I')
      ? `HTTP/1.1 ${response.status} ${reasonOf(response)}\r\n${Object.entries(response.headers)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('')}\r\n`
      : ''
  const content = Buffer.concat([Buffer.from(head), method === 'HEAD' ? new Uint8Array(0) : response.body])
  const file = outputOf(target, options)
  await deliver(process, content, file)
  if (file !== undefined && !flags.has('s')) await process.complain(progressBar(content.length))
  await writeOut(process, last(options, 'w'), response, target, ip, started, redirects)
}

/** The file that the answer goes to; absent for the standard output. */
function outputOf(target: Target, options: ReturnType<typeof parseOptions>): string | undefined {
  const file = last(options, 'o') ?? (options.flags.has('O') ? baseName(target.path.split('?')[0] as string) : undefined)
  return file === '-' ? undefined : file
}

async function deliver(process: Process, content: Uint8Array, file: string | undefined): Promise<void> {
  if (file === undefined) return await process.print(content)
  if (file === '/dev/null') return
  try {
    process.fs.write(file, content, process.who)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    throw new CurlFault(23, `Failure writing output to destination, passed ${content.length} returned 0`)
  }
}

/** Where --connect-to and --resolve send a request instead; the first that fits counts, an empty part fits all. */
function connectionOf({ host, port }: Target, options: ReturnType<typeof parseOptions>): { host: string; port: number } {
  for (const entry of options.values.get('%') ?? []) {
    const [name, number, toHost, toPort] = entry.split(':')
    if ((!name || name === host) && (!number || Number(number) === port)) return { host: toHost || host, port: Number(toPort || port) }
  }
  for (const entry of options.values.get('@') ?? []) {
    const [name, number, address] = entry.replace(/^\+/, '').split(':')
    if ((name === '*' || name === host) && Number(number) === port && address) return { host: address.split(',')[0] as string, port }
  }
  return { host, port }
}

/** The file that an option names; curl looks at it before it connects. */
async function pem(process: Process, options: ReturnType<typeof parseOptions>, name: 'C' | 'E' | 'K'): Promise<Uint8Array | undefined> {
  const path = last(options, name)
  if (path === undefined) return undefined
  try {
    return await process.readWhole(path)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    if (name === 'C') throw new CurlFault(77, `error setting certificate verify locations:  CAfile: ${path} CApath: none`)
    throw new CurlFault(
      58,
      `could not load PEM client certificate from ${path}, OpenSSL error error:80000002:system library::No such file or directory, (no key found, wrong pass phrase, or wrong file format?)`,
    )
  }
}

/** OpenSSL's words for what is wrong with a certificate. */
const certificateProblems: Record<string, string> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
}

const certificateAdvice =
  '\nMore details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the server and therefore could not\nestablish a secure connection to it. To learn more about this situation and\nhow to fix it, please visit the webpage mentioned above.'

function tlsFault(target: Target, { code }: TlsError): CurlFault {
  if (code === 'NOT_TLS') return new CurlFault(35, 'OpenSSL/3.3.1: error:0A00010B:SSL routines::wrong version number')
  if (code === 'ECONNRESET')
    return new CurlFault(35, `OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to ${target.host}:${target.port} `)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new CurlFault(60, `SSL: no alternative certificate subject name matches target host name '${target.host}'${certificateAdvice}`)
  }
  const problem = certificateProblems[code] ?? 'unable to get local issuer certificate'
  return new CurlFault(60, `SSL certificate problem: ${problem}${certificateAdvice}`)
}

function progressBar(bytes: number): string {
  const size = String(bytes).padStart(5)
  return `  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n\r100 ${size}  100 ${size}    0     0  ${size}      0 --:--:-- --:--:-- --:--:-- ${size}\n`
}

/** What there is to write of a transfer that has failed. */
const noResponse: HttpResponse = { status: 0, headers: {}, body: new Uint8Array(0) }

async function writeOut(
  process: Process,
  format: string | undefined,
  response: HttpResponse,
  target: Target,
  ip: string,
  started: number,
  redirects: number,
  fault?: CurlFault,
): Promise<void> {
  if (format === undefined) return
  const seconds = ((process.machine.now() - started) / 1000).toFixed(6)
  const values: Record<string, string> = {
    http_code: String(response.status).padStart(3, '0'),
    response_code: String(response.status).padStart(3, '0'),
    size_download: String(response.body.length),
    time_total: seconds,
    time_connect: seconds,
    time_starttransfer: seconds,
    time_namelookup: seconds,
    url_effective: `${target.scheme}://${hostHeader(target)}${target.path}`,
    remote_ip: ip,
    remote_port: String(target.port),
    num_redirects: String(redirects),
    redirect_url: redirectOf(target, response) ?? '',
    content_type: header(response.headers, 'content-type') ?? '',
    http_version: '1.1',
    method: 'GET',
    exitcode: String(fault?.code ?? 0),
    errormsg: fault?.message ?? '',
  }
  await process.print(
    format
      .replace(/%\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
      .replace(/\\n/g, '\n')
      .replace(/\\t/g, '\t')
      .replace(/%%/g, '%'),
  )
}

function curlFault(process: Process, target: Target, error: unknown, started: number, progress: HttpProgress): CurlFault {
  if (process.ended) throw error
  const ms = Math.round(process.machine.now() - started)
  if (error instanceof TlsError) return tlsFault(target, error)
  if (isTimeout(error) && progress.connected) {
    const body = Buffer.concat(progress.body)
    const whole = progress.head && header(progress.head.headers, 'content-length')
    const received = whole === undefined ? String(body.length) : `${body.length} out of ${whole}`
    const part = progress.head && { ...progress.head, body }
    return new CurlFault(28, `Operation timed out after ${ms} milliseconds with ${received} bytes received`, part)
  }
  if (isTimeout(error))
    return new CurlFault(
      28,
      error instanceof NetworkError
        ? `Failed to connect to ${target.host} port ${target.port} after ${ms} ms: ${ms < kernelPatience ? 'Timeout was reached' : 'Could not connect to server'}`
        : `Connection timed out after ${ms} milliseconds`,
    )
  if (!(error instanceof NetworkError)) throw error
  if (error.code === 'ENOTFOUND') return new CurlFault(6, `Could not resolve host: ${target.host}`)
  if (error.code === 'ECONNREFUSED' || error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH')
    return new CurlFault(7, `Failed to connect to ${target.host} port ${target.port} after ${ms} ms: Could not connect to server`)
  return new CurlFault(56, 'Recv failure: Connection reset by peer')
}
