import { sortedJson } from '../../../machinery/sorted-json.ts'
import type { HttpResponse } from '../../../network/network.ts'
import type { GoRequest } from '../../go/http.ts'
import { logPrint } from '../../go/log.ts'
import type { Process } from '../../kernel/process.ts'
import { Errno } from '../../vfs/errno.ts'
import { answer, header } from '../http.ts'

/** netexec's /upload: keeps the part `file` of a form in /uploads, executable for its owner. */
export async function uploadedFile(process: Process, request: GoRequest): Promise<HttpResponse> {
  const content = partNamed(request, 'file')
  if (!content) {
    await logPrint(process, 'Unable to upload file: http: no such file')
    return answer(200, sortedJson({ error: 'Unable to upload file.' }))
  }
  const path = `/uploads/upload${Math.floor(process.machine.random() * 4_000_000_000)}`
  try {
    process.fs.write(path, content, process.who, 0o600)
    process.fs.change(path, process.who).mode = 0o700
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    await logPrint(process, `Unable to open file for write: ${error.message}`)
    return answer(200, sortedJson({ error: 'Unable to open file for write' }))
  }
  await logPrint(process, `Wrote upload to ${path}`)
  return answer(201, sortedJson({ output: path }))
}

/** The content of a file in a multipart form (RFC 7578). */
function partNamed({ headers, body }: GoRequest, name: string): Uint8Array | undefined {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(header(headers, 'content-type') ?? '')
  const mark = boundary?.[1] ?? boundary?.[2]
  if (mark === undefined) return undefined
  const bytes = Buffer.from(body)
  for (let at = bytes.indexOf(`--${mark}`); at !== -1; ) {
    const next = bytes.indexOf(`\r\n--${mark}`, at)
    if (next === -1) return undefined
    const part = bytes.subarray(at, next)
    const split = part.indexOf('\r\n\r\n')
    const head = part.subarray(0, split).toString()
    if (split !== -1 && new RegExp(`name="${name}"`).test(head) && /filename=/.test(head)) return part.subarray(split + 4)
    at = next + 2
  }
  return undefined
}
