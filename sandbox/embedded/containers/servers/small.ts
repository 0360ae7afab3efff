import { type HttpResponse, NetworkError } from '../../network/network.ts'
import type { Process, Program, Run } from '../kernel/process.ts'
import { contentType } from '../programs/httpd.ts'
import { last, parseOptions } from '../programs/options.ts'
import { pip } from '../programs/packages.ts'
import { contentOf } from '../vfs/node.ts'
import { answer, combinedLog, commonLogTime, type Handler, header, listenHttp } from './http.ts'
import { perl } from './perl.ts'
import { mysql } from './sql/mysql.ts'
import { psql } from './sql/psql.ts'
import { type ServerFacts, serveSql } from './sql/server.ts'

const megabyte = 1024 * 1024

/** Servers of a few lines: what images of lessons and of tests run. */
export const smallServers: Record<string, Program> = {
  pause: { run: pause, memoryBytes: 200 * 1024 },
  apache: { run: apache, memoryBytes: 8 * megabyte },
  'hpa-example': { run: hpaExample, memoryBytes: 12 * megabyte },
  'whoami-server': { run: whoami, memoryBytes: 4 * megabyte },
  'http-echo': { run: httpEcho, memoryBytes: 4 * megabyte },
  echoserver: { run: echoServer, memoryBytes: 6 * megabyte },
  python3: { run: python, memoryBytes: 10 * megabyte },
  node: { run: nodeServer, memoryBytes: 40 * megabyte },
  postgres: { run: database('postgres', 5432), memoryBytes: 28 * megabyte },
  mysqld: { run: database('mysqld', 3306), memoryBytes: 360 * megabyte },
  perl: { run: perl, memoryBytes: 12 * megabyte },
  psql: { run: psql },
  mysql: { run: mysql },
  pg_isready: { run: ready(5432) },
  mysqladmin: { run: ready(3306) },
  unknown: { run: unknown, memoryBytes: 10 * megabyte },
}

/** Serves until a signal ends it: TERM and INT with this exit code, or as the default for what has no handler. */
async function serve(
  process: Process,
  port: number,
  handler: Handler,
  options: { termCode?: number; cpuNanoseconds?: number; host?: string } = {},
): Promise<number> {
  try {
    listenHttp(process, port, handler, options)
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return process.fail(`listen tcp :${port}: bind: address already in use`)
  }
  const { termCode } = options
  if (termCode !== undefined) for (const signal of ['TERM', 'INT'] as const) process.trap(signal, () => process.end({ code: termCode }))
  return process.block<number>(() => undefined)
}

function pause(process: Process): Promise<number> {
  for (const signal of ['TERM', 'INT'] as const) process.trap(signal, () => process.end({ code: 0 }))
  return process.block<number>(() => undefined)
}

/** An image whose contents nobody here knows: it says so and stays up. */
async function unknown(process: Process): Promise<number> {
  await process.print(
    'The contents of this image are not known to the embedded engine: the container runs, and does nothing.\nStart the sandbox on the kind engine to run it for real.\n',
  )
  return pause(process)
}

async function apache(process: Process): Promise<number> {
  const name = process.machine.network.ip
  await process.complain(
    `AH00558: httpd: Could not reliably determine the server's fully qualified domain name, using ${name}. Set the 'ServerName' directive globally to suppress this message\n[${new Date(process.machine.now()).toUTCString()}] [core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'\n`,
  )
  return serve(process, 80, files(process, '/usr/local/apache2/htdocs'), { termCode: 0 })
}

function files(process: Process, root: string): Handler {
  return async (request, peer) => {
    const path = decodeURIComponent(request.path.split('?')[0] as string)
      .split('/')
      .filter((part) => part !== '..')
      .join('/')
    const at = `${root}${path}${path.endsWith('/') ? 'index.html' : ''}`
    const node = process.fs.find(at, process.who)
    const response =
      node?.type === 'file'
        ? answer(200, contentOf(node, process).slice(), { 'Content-Type': contentType(at), Server: 'Apache/2.4.65 (Unix)' })
        : answer(
            404,
            '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n',
            { 'Content-Type': 'text/html' },
          )
    await process.print(combinedLog(process.machine.now(), request, peer, response))
    return response
  }
}

/** The autoscaling walkthrough's server: every request computes for a while. */
function hpaExample(process: Process): Promise<number> {
  return serve(
    process,
    80,
    async (request, peer) => {
      const response = answer(200, 'OK!', { 'Content-Type': 'text/html; charset=UTF-8', Server: 'Apache/2.4.10 (Debian)' })
      await process.print(combinedLog(process.machine.now(), request, peer, response))
      return response
    },
    { termCode: 0, cpuNanoseconds: 60_000_000 },
  )
}

async function whoami(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'p:', { 'port=': 'p', 'name=': 'n', verbose: 'v' })
  const port = Number(last(options, 'p') ?? process.env.get('WHOAMI_PORT_NUMBER') ?? 80)
  await process.print(`${new Date(process.machine.now()).toISOString()} Starting up on port ${port}\n`)
  return serve(
    process,
    port,
    async (request, peer) => {
      const name = last(options, 'n') ?? process.env.get('WHOAMI_NAME')
      if (request.path === '/health') return answer(200, '')
      return answer(
        200,
        `${name ? `Name: ${name}\n` : ''}Hostname: ${process.machine.hostname}\nIP: 127.0.0.1\nIP: ${process.machine.network.ip}\nRemoteAddr: ${peer.ip}:${peer.port}\n${request.method} ${request.path} HTTP/1.1\n${Object.entries(
          request.headers,
        )
          .map(([key, value]) => `${key}: ${value}\n`)
          .join('')}\n`,
      )
    },
    { termCode: 2 },
  )
}

async function httpEcho(process: Process): Promise<number> {
  const args = process.args.map((arg) => arg.replace(/^-(?=(?:text|listen|status-code)\b)/, '--'))
  const options = parseOptions(args, '', { 'text=': 't', 'listen=': 'l', 'status-code=': 's' })
  const text = last(options, 't') ?? process.env.get('ECHO_TEXT')
  if (text === undefined) {
    await process.complain('Missing -text option or ECHO_TEXT env var!\n')
    return 127
  }
  const port = Number((last(options, 'l') ?? ':5678').split(':').at(-1))
  await process.print(
    `${new Date(process.machine.now()).toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} [INFO] server is listening on :${port}\n`,
  )
  return serve(
    process,
    port,
    async (request, peer) => {
      const response = answer(Number(last(options, 's') ?? 200), `${text}\n`, { 'X-App-Name': 'http-echo', 'X-App-Version': '1.0.0' })
      await process.print(
        `${new Date(process.machine.now()).toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} ${header(request.headers, 'host') ?? ''} ${peer.ip}:${peer.port} "${request.method} ${request.path} HTTP/1.1" ${response.status} ${response.body.length} "${header(request.headers, 'user-agent') ?? ''}" 20µs\n`,
      )
      return response
    },
    { termCode: 0 },
  )
}

function echoServer(process: Process): Promise<number> {
  return serve(
    process,
    8080,
    async (request, peer) =>
      answer(
        200,
        `\n\nHostname: ${process.machine.hostname}\n\nPod Information:\n\t-no pod information available-\n\nServer values:\n\tserver_version=nginx: 1.14.2 - lua: 10015\n\nRequest Information:\n\tclient_address=${peer.ip}\n\tmethod=${request.method}\n\treal path=${request.path}\n\tquery=${request.path.split('?')[1] ?? ''}\n\trequest_version=1.1\n\trequest_scheme=http\n\trequest_uri=http://${header(request.headers, 'host') ?? ''}:8080${request.path}\n\nRequest Headers:\n${Object.entries(
          request.headers,
        )
          .map(([name, value]) => `\t${name.toLowerCase()}=${value}\n`)
          .join('')}\nRequest Body:\n${new TextDecoder().decode(request.body) || '\t-no body in request-'}\n\n`,
      ),
    { termCode: 0 },
  )
}

async function python(process: Process): Promise<number> {
  const { args } = process
  if (args[0] === '--version' || args[0] === '-V') {
    await process.print('Python 3.13.1\n')
    return 0
  }
  if (args[0] === '-m' && args[1] === 'pip') return await pip(process, args.slice(2))
  if (args[0] !== '-m' || args[1] !== 'http.server') {
    await process.complain('python3: only `-m http.server` and `-m pip` run on the embedded engine; the kind engine runs Python itself\n')
    return 1
  }
  const options = parseOptions(args.slice(2), 'd:b:', { 'directory=': 'd', 'bind=': 'b' })
  const port = Number(options.operands[0] ?? 8000)
  const root = last(options, 'd') ?? process.cwd
  process.trap('INT', () => {
    void process.print('\nKeyboard interrupt received, exiting.\n').then(() => process.end({ code: 0 }))
  })
  await process.complain(`Serving HTTP on 0.0.0.0 port ${port} (http://0.0.0.0:${port}/) ...\n`)
  return serve(process, port, async (request, peer) => {
    const path = decodeURIComponent(request.path.split('?')[0] as string)
    const at = `${root.replace(/\/$/, '')}${path}`
    const node = process.fs.find(at, process.who)
    const index = node?.type === 'dir' ? process.fs.find(`${at.replace(/\/$/, '')}/index.html`, process.who) : undefined
    const target = index ?? node
    let response: HttpResponse
    if (target?.type === 'file')
      response = answer(200, contentOf(target, process).slice(), {
        'Content-Type': contentType(index ? 'index.html' : at),
        Server: 'SimpleHTTP/0.6 Python/3.13.1',
      })
    else if (target?.type === 'dir') {
      const rows = process.fs
        .list(at, process.who)
        .map(
          ([name, child]) => `<li><a href="${name}${child.type === 'dir' ? '/' : ''}">${name}${child.type === 'dir' ? '/' : ''}</a></li>\n`,
        )
      response = answer(
        200,
        `<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Directory listing for ${path}</title>\n</head>\n<body>\n<h1>Directory listing for ${path}</h1>\n<hr>\n<ul>\n${rows.join('')}</ul>\n<hr>\n</body>\n</html>\n`,
        { 'Content-Type': 'text/html; charset=utf-8' },
      )
    } else
      response = answer(
        404,
        `<!DOCTYPE HTML>\n<html lang="en">\n    <head>\n        <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n        <p>Error code: 404</p>\n        <p>Message: File not found.</p>\n    </body>\n</html>\n`,
        { 'Content-Type': 'text/html;charset=utf-8' },
      )
    await process.complain(
      `${peer.ip} - - [${commonLogTime(process.machine.now()).replace(':', ' ').replace(' +0000', '')}] "${request.method} ${request.path} HTTP/1.1" ${response.status} -\n`,
    )
    return response
  })
}

/** Stands for an application server: slow to start (BOOT_S, 3 s unless set), then answers on PORT. */
async function nodeServer(process: Process): Promise<number> {
  const [first] = process.args
  if (first === '--version' || first === '-v') {
    await process.print('v24.4.0\n')
    return 0
  }
  if (first === '-version') {
    await process.complain('openjdk version "21.0.7" 2025-04-15 LTS\n')
    return 0
  }
  if (first === '-e' || first === '--eval' || first === '-p' || first === '--print') {
    await process.complain(
      'node: programs of your own do not run on the embedded engine, where this image stands for a server; the kind engine runs Node.js itself\n',
    )
    return 1
  }
  const port = Number(process.env.get('PORT') ?? 3000)
  const boot = Number(process.env.get('BOOT_S') ?? 3) * 1000
  const readyAt = process.resume<number>() ?? process.machine.now() + boot
  process.save(readyAt)
  await process.sleep(Math.max(0, readyAt - process.machine.now()))
  await process.print(`Server listening on ${port}\n`)
  return serve(process, port, async (request) => answer(200, `Hello from ${process.machine.hostname} (${request.path})\n`))
}

/** A database as far as lessons look at it: it takes a moment, opens its port, and stops on TERM. */
function database(name: string, port: number): Run {
  return async (process) => {
    if (name === 'postgres' && !process.env.has('POSTGRES_PASSWORD') && process.env.get('POSTGRES_HOST_AUTH_METHOD') !== 'trust') {
      await process.complain(
        'Error: Database is uninitialized and superuser password is not specified.\n       You must specify POSTGRES_PASSWORD to a non-empty value for the\n       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".\n',
      )
      return 1
    }
    if (
      name === 'mysqld' &&
      !['MYSQL_ROOT_PASSWORD', 'MYSQL_ALLOW_EMPTY_PASSWORD', 'MYSQL_RANDOM_ROOT_PASSWORD', 'MARIADB_ROOT_PASSWORD'].some((each) =>
        process.env.has(each),
      )
    ) {
      await process.complain(
        '[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n    You need to specify one of the following as an environment variable:\n    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD\n',
      )
      return 1
    }
    const readyAt = process.resume<number>() ?? process.machine.now() + (name === 'postgres' ? 2000 : 8000)
    process.save(readyAt)
    for (const signal of ['TERM', 'INT'] as const) {
      process.trap(signal, () => {
        void process
          .print(name === 'postgres' ? 'LOG:  database system is shut down\n' : 'mysqld: Shutdown complete\n')
          .then(() => process.end({ code: 0 }))
      })
    }
    await process.sleep(Math.max(0, readyAt - process.machine.now()))
    try {
      serveSql(process, name === 'postgres' ? postgresFacts(process, port) : mysqlFacts(process, port))
    } catch (error) {
      if (!(error instanceof NetworkError) || process.ended) throw error
      await process.complain(`could not bind IPv4 address "0.0.0.0": Address already in use\n`)
      return 1
    }
    await process.complain(
      name === 'postgres'
        ? 'LOG:  database system is ready to accept connections\n'
        : "mysqld: ready for connections. Version: '8.4.5'  port: 3306  MySQL Community Server - GPL.\n",
    )
    return process.block<number>(() => undefined)
  }
}

function postgresFacts(process: Process, port: number): ServerFacts {
  const env = (name: string) => process.env.get(name)
  const user = env('POSTGRES_USER') ?? 'postgres'
  const trust = env('POSTGRES_HOST_AUTH_METHOD') === 'trust'
  return {
    dialect: 'postgres',
    port,
    folder: `${env('PGDATA') ?? '/var/lib/postgresql/data'}/base`,
    version: 'PostgreSQL 17.5 on x86_64-pc-linux-gnu, 64-bit',
    users: new Map([[user, trust ? '' : (env('POSTGRES_PASSWORD') ?? '')]]),
    databases: ['postgres', env('POSTGRES_DB') ?? user],
    trustsLoopback: true,
  }
}

function mysqlFacts(process: Process, port: number): ServerFacts {
  const env = (name: string) => process.env.get(name) ?? process.env.get(name.replace('MYSQL_', 'MARIADB_'))
  const user = env('MYSQL_USER')
  const database = env('MYSQL_DATABASE')
  return {
    dialect: 'mysql',
    port,
    folder: '/var/lib/mysql/databases',
    version: '8.4.5',
    users: new Map([['root', env('MYSQL_ROOT_PASSWORD') ?? ''], ...(user ? ([[user, env('MYSQL_PASSWORD') ?? '']] as const) : [])]),
    databases: ['mysql', ...(database ? [database] : [])],
    trustsLoopback: false,
  }
}

/** pg_isready and mysqladmin ping: is the port open? */
function ready(port: number): Run {
  return async (process) => {
    const options = parseOptions(process.args, 'h:p:U:u:d:t:q', {})
    const host = last(options, 'h') ?? '127.0.0.1'
    try {
      const connection = await process.within(3000, (signal) =>
        process.machine.network.connect(host === 'localhost' ? '127.0.0.1' : host, port, signal),
      )
      connection[Symbol.dispose]()
      await process.print(port === 5432 ? `${host}:5432 - accepting connections\n` : 'mysqld is alive\n')
      return 0
    } catch (error) {
      if (process.ended) throw error
      await process.print(port === 5432 ? `${host}:5432 - no response\n` : `mysqladmin: connect to server at '${host}' failed\n`)
      return port === 5432 ? 2 : 1
    }
  }
}
