import type { HttpResponse } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { type GoRequest, goServe, httpRedirect } from '../../go/http.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { contentType } from '../../programs/httpd.ts'
import { contentOf } from '../../vfs/node.ts'
import { answer } from '../http.ts'

const cors = {
  'Cache-Control': 'private',
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Credentials': 'true',
  'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
  'Access-Control-Allow-Headers': 'DNT,X-Mx-ReqToken,Keep-Alive,User-Agent,X-Requested-With,Cache-Control,Content-Type',
}

/** A file server for the whole of the container's file system. */
export const testWebserver = command({
  short: 'Starts a simple HTTP fileserver',
  flags: { port: 80 },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    const failed = await goServe(process, flags.port, (request) => {
      const response = fileServer(process, request)
      return { ...response, headers: { ...response.headers, ...cors } }
    })
    return failed ?? forever(process)
  },
})

/** http.FileServer: index.html for a folder, or its listing. */
function fileServer(process: Process, request: GoRequest): HttpResponse {
  const { path } = request
  if (path.endsWith('/index.html')) return httpRedirect(request, './', 301)
  const node = process.fs.find(path, process.who)
  if (node?.type === 'file' && !path.endsWith('/')) {
    return answer(200, contentOf(node, process).slice(), { 'Content-Type': typeOf(path), 'Accept-Ranges': 'bytes' })
  }
  if (node?.type !== 'dir') return answer(404, '404 page not found\n', { 'X-Content-Type-Options': 'nosniff' })
  if (!path.endsWith('/')) return httpRedirect(request, `${path.split('/').at(-1)}/`, 301)
  const index = process.fs.find(`${path}index.html`, process.who)
  if (index?.type === 'file') return answer(200, contentOf(index, process).slice(), { 'Content-Type': 'text/html; charset=utf-8' })
  const rows = process.fs.list(path, process.who).map(([name, child]) => {
    const shown = name + (child.type === 'dir' ? '/' : '')
    return `<a href="${encodeURI(shown)}">${shown}</a>\n`
  })
  const head = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n'
  return answer(200, `${head}<pre>\n${rows.join('')}</pre>\n`, { 'Content-Type': 'text/html; charset=utf-8' })
}

function typeOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const type = name.includes('.') ? contentType(name) : 'text/plain'
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type
}
