import { NetworkError } from '../../network/network.ts'
import type { Process, Run } from '../kernel/process.ts'
import { answer, type Handler, listenHttp } from '../servers/http.ts'
import { contentOf } from '../vfs/node.ts'
import { last, parseOptions } from './options.ts'

export const fileServers: Record<string, Run> = { httpd }

const types: Record<string, string> = {
  html: 'text/html',
  htm: 'text/html',
  css: 'text/css',
  js: 'application/javascript',
  json: 'application/json',
  txt: 'text/plain',
  png: 'image/png',
  svg: 'image/svg+xml',
  xml: 'application/xml',
}

export function contentType(path: string): string {
  return types[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? 'application/octet-stream'
}

/** busybox' httpd: -f in the foreground, -p [address:]port, -h folder. */
async function httpd(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'fvp:h:u:c:r:')
  const root = last(options, 'h') ?? process.cwd
  const [, address = '::', portText = '80'] = /^(?:(.+):)?(\d+)$/.exec(last(options, 'p') ?? '80') ?? []
  const port = Number(portText)
  const start = (server: Process) => {
    const serve: Handler = async (request, peer) => {
      const path = decodeURIComponent(request.path.split('?')[0] as string)
      const at = `${root}/${path
        .split('/')
        .filter((part) => part !== '..')
        .join('/')}${path.endsWith('/') ? 'index.html' : ''}`
      const node = server.fs.find(at, server.who)
      const headers = { Date: new Date(server.machine.now()).toUTCString(), Connection: 'close' }
      const response =
        node?.type === 'file'
          ? answer(200, contentOf(node, server).slice(), { ...headers, 'Content-type': contentType(at), 'Accept-Ranges': 'bytes' })
          : answer(404, notFound, { ...headers, 'Content-type': 'text/html' })
      if (options.flags.has('v')) {
        const client = `[::ffff:${peer.ip}]:${peer.port}`
        await server.complain(`${client}: url:${request.path}\n${client}: response:${response.status}\n`)
      }
      return response
    }
    listenHttp(server, port, serve, { host: address })
  }
  try {
    if (options.flags.has('f')) {
      start(process)
      return await process.block<number>(() => undefined)
    }
    const child = process.machine.fork(process)
    start(child)
    void process.machine.run(child, () => child.block<number>(() => undefined))
    return 0
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return process.fail('bind: Address already in use')
  }
}

const notFound =
  '<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\nThe requested URL was not found\n</BODY></HTML>\n'
