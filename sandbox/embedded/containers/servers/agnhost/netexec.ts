import { goDuration } from '../../../kubelet/duration.ts'
import { sortedJson } from '../../../machinery/sorted-json.ts'
import { type HttpResponse, NetworkError, type Protocol } from '../../../network/network.ts'
import { parseGoDuration } from '../../go/duration.ts'
import { pathError } from '../../go/errors.ts'
import { command } from '../../go/flags.ts'
import { canonicalHeader, type GoHandler, type GoRequest, goServe, httpRedirect, type Routes } from '../../go/http.ts'
import { goTime, logFatal, logPrint } from '../../go/log.ts'
import { forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { Errno } from '../../vfs/errno.ts'
import { answer, header } from '../http.ts'
import { answerDatagrams } from './datagrams.ts'
import { dial } from './dial.ts'
import { shell } from './shell.ts'
import { uploadedFile } from './upload.ts'

interface Server {
  process: Process
  httpPort: number
  /** The UDP (or SCTP) server answers. */
  ready: boolean
  terminating: boolean
}

/** HTTP, UDP and SCTP servers that tell about themselves and the request, dial others, run commands and end when told. */
export const netexec = command({
  short: 'Creates HTTP(S), UDP, and (optionally) SCTP servers with various endpoints',
  flags: {
    'http-port': 8080,
    'tls-cert-file': '',
    'tls-private-key-file': '',
    'udp-port': 8081,
    'sctp-port': -1,
    'http-override': '',
    'udp-listen-addresses': '',
    'delay-shutdown': 0,
  },
  args: 0,
  async run(process, flags) {
    const server: Server = { process, httpPort: flags['http-port'], ready: false, terminating: false }
    process.trap('INT', () => process.end({ code: 2 }))
    process.trap('TERM', () => {
      if (server.terminating) return
      server.terminating = true
      if (flags['delay-shutdown'] <= 0) return process.end({ code: 0 })
      void logPrint(process, `Sleeping ${flags['delay-shutdown']} seconds before terminating...`)
      process.machine.after(flags['delay-shutdown'] * 1000, () => process.end({ code: 0 }))
    })
    try {
      if (flags['udp-port'] !== -1) {
        for (const address of flags['udp-listen-addresses'].split(',')) await serveDatagrams(server, 'UDP', flags['udp-port'], address)
      }
      if (flags['sctp-port'] !== -1) await serveDatagrams(server, 'SCTP', flags['sctp-port'], '')
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return logFatal(process, 'Error occurred: failed to create listener: bind: address already in use')
    }
    let tls: { certificate: string; key: string } | undefined
    const files = { certificate: flags['tls-cert-file'], key: flags['tls-private-key-file'] }
    if (files.certificate !== '') {
      try {
        const read = async (path: string) => new TextDecoder().decode(await process.readWhole(path))
        tls = { certificate: await read(files.certificate), key: await read(files.key) }
      } catch (error) {
        if (!(error instanceof Errno)) throw error
        return logFatal(process, pathError('open', files.certificate, error))
      }
    }
    await logPrint(process, `Started HTTP server on port ${server.httpPort}`)
    const own = routes(server)
    const override = flags['http-override']
    const failed = await goServe(process, server.httpPort, override === '' ? own : overridden(own, override), { tls })
    return failed ?? forever(process)
  },
})

function routes(server: Server): Routes {
  const { process } = server
  const { machine } = process
  const logged =
    (handler: GoHandler, what: (request: GoRequest) => string = ({ path }) => `GET ${path}`): GoHandler =>
    async (request) => {
      await logPrint(process, what(request))
      return handler(request)
    }
  const hostname = logged(() => answer(200, machine.hostname))
  return {
    '/': logged(
      () => answer(200, `NOW: ${goTime(machine.now(), process.startedAt)}`),
      () => 'GET /',
    ),
    '/clientip': logged(({ peer }) => answer(200, `${peer.ip}:${peer.port}`)),
    '/serverport': logged(() => answer(200, String(server.httpPort))),
    '/header': logged(headers),
    '/dial': logged((request) => dial(process, request), dialed),
    '/echo': logged(echo, ({ form }) => `GET /echo?msg=${form.get('msg') ?? ''}&code=${form.get('code') ?? ''}`),
    '/exit': logged(
      (request) => exit(server, request),
      ({ form }) => `GET /exit?code=${form.get('code') ?? ''}&timeout=${form.get('timeout') ?? ''}&wait=${form.get('wait') ?? ''}`,
    ),
    '/healthz': logged(() => answer(server.ready ? 200 : 412, '')),
    '/readyz': logged(() => (server.terminating ? answer(503, 'shutting down') : server.ready ? answer(200, 'ok') : answer(412, ''))),
    '/hostname': hostname,
    '/hostName': hostname,
    '/redirect': logged(
      redirect,
      ({ method, form }) => `${method} /redirect?msg=${form.get('location') ?? ''}&code=${form.get('code') ?? ''}`,
    ),
    '/shell': logged(
      ({ form }) => shell(process, form.get('shellCommand') || (form.get('cmd') ?? '')),
      ({ form }) => `GET /shell?cmd=${form.get('shellCommand') || (form.get('cmd') ?? '')}`,
    ),
    '/upload': logged((request) => uploadedFile(process, request)),
    '/shutdown': logged(() => {
      process.end({ code: 0 })
      return answer(200, '')
    }),
  }
}

/** Whatever is asked for, the answer is that of a GET of one path. */
function overridden(own: Routes, override: string): GoHandler {
  const url = new URL(override, 'http://localhost')
  const handler = own[url.pathname] ?? (own['/'] as GoHandler)
  return (request) =>
    handler({
      ...request,
      method: 'GET',
      path: url.pathname,
      query: url.searchParams,
      form: url.searchParams,
      headers: {},
      body: new Uint8Array(0),
    })
}

function dialed({ query }: GoRequest): string {
  const value = (name: string) => query.get(name) ?? ''
  return `GET /dial?host=${value('host')}&protocol=${value('protocol')}&port=${value('port')}&request=${value('request')}&tries=${value('tries')}`
}

function headers({ form, headers: given }: GoRequest): HttpResponse {
  const key = form.get('key') ?? ''
  if (key !== '') return answer(200, header(given, key) ?? '')
  const all = Object.entries(given).filter(([name]) => name.toLowerCase() !== 'host')
  return answer(200, sortedJson(Object.fromEntries(all.map(([name, value]) => [canonicalHeader(name), [value]]))))
}

function echo({ form }: GoRequest): HttpResponse {
  const code = form.get('code') ?? ''
  if (code !== '' && !/^[-+]?\d+$/.test(code)) return answer(200, `argument 'code' must be an integer or empty, got ${goQuote(code)}\n`)
  return answer(code === '' ? 200 : Number(code), form.get('msg') ?? '')
}

function redirect(request: GoRequest): HttpResponse {
  const code = request.form.get('code') ?? ''
  if (code !== '' && !/^[-+]?\d+$/.test(code)) return answer(200, `argument 'code' must be an integer or empty, got ${goQuote(code)}\n`)
  return httpRedirect(request, request.form.get('location') ?? '', code === '' ? 302 : Number(code))
}

async function exit({ process }: Server, { form }: GoRequest): Promise<HttpResponse> {
  const duration = (name: string) => {
    const text = form.get(name) ?? ''
    const ms = text === '' ? 0 : parseGoDuration(text)
    return { ms, complaint: `argument '${name}' must be a valid golang duration or empty, got ${goQuote(text)}\n` }
  }
  const timeout = duration('timeout')
  if (timeout.ms === undefined) return answer(200, timeout.complaint)
  const wait = duration('wait')
  if (wait.ms === undefined) return answer(200, wait.complaint)
  const code = form.get('code') ?? ''
  if (code !== '' && !/^[-+]?\d+$/.test(code))
    return answer(200, `argument 'code' must be an integer [0-127] or empty, got ${goQuote(code)}\n`)
  const status = code === '' ? 0 : Number(code)
  await logPrint(
    process,
    `Will begin shutdown in ${goDuration(wait.ms)}, allowing ${goDuration(timeout.ms)} for connections to close, then will exit with ${status}`,
  )
  await process.sleep(wait.ms)
  if (timeout.ms === 0) process.end({ code: status })
  else {
    // Shutdown waits for the answers under way, this one among them.
    process.machine.after(0, () => {
      void logPrint(process, 'Graceful shutdown completed with: <nil>').then(() => process.end({ code: status }))
    })
  }
  return answer(200, '')
}

function goQuote(text: string): string {
  return JSON.stringify(text)
}

async function serveDatagrams(server: Server, protocol: Protocol, port: number, address: string): Promise<void> {
  const { process } = server
  const name = protocol === 'UDP' ? 'udp' : 'SCTP'
  answerDatagrams(
    process,
    port,
    protocol,
    (data, peer) => {
      const text = data.trim().toLowerCase()
      const log = (line: string) => void logPrint(process, line)
      if (text === 'hostname') {
        log(`Sending ${name} hostName response`)
        return process.machine.hostname
      }
      if (text.startsWith('echo ')) {
        log(`Echoing ${text.slice(5)} to ${protocol} client ${peer}`)
        return text.slice(5)
      }
      if (text === 'clientip') {
        log(`Sending clientip back to ${protocol} client ${peer}`)
        return peer
      }
      if (text === 'serverport') {
        log(`Sending server port to ${protocol} client ${port}`)
        return String(port)
      }
      if (text !== '') log(`Unknown ${protocol} command received from ${peer}: ${text}`)
      return undefined
    },
    address,
  )
  server.ready = true
  await logPrint(process, protocol === 'UDP' ? `Started UDP server on port ${address} ${port}` : 'Started SCTP server')
}
