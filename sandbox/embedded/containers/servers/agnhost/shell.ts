import { sortedJson } from '../../../machinery/sorted-json.ts'
import type { HttpResponse } from '../../../network/network.ts'
import { logPrint } from '../../go/log.ts'
import { Pipe } from '../../kernel/pipe.ts'
import type { Process } from '../../kernel/process.ts'
import { startCommand } from '../../programs/run-command.ts'
import { answer } from '../http.ts'

/** netexec's /shell: a command by /bin/sh, its output and how it ended. */
export async function shell(process: Process, text: string): Promise<HttpResponse> {
  const pipe = new Pipe()
  const reader = pipe.reader().retain()
  const writer = pipe.writer()
  const child = await startCommand(
    process,
    ['/bin/sh', '-c', text],
    new Map([
      [1, writer],
      [2, writer],
    ]),
  )
  const output: Record<string, string> = {}
  if (typeof child === 'number') output['error'] = 'fork/exec /bin/sh: no such file or directory'
  else {
    const chunks: Uint8Array[] = []
    for (;;) {
      const chunk = await reader.read(65536, process)
      if (chunk.length === 0) break
      chunks.push(chunk)
    }
    const { code, signal } = await child.wait()
    if (chunks.length > 0) output['output'] = Buffer.concat(chunks).toString()
    if (signal !== undefined) output['error'] = `signal: ${signalWords[signal] ?? signal.toLowerCase()}`
    else if (code !== 0) output['error'] = `exit status ${code}`
  }
  reader.release()
  const shown = Object.entries(output).map(([key, value]) => `${key}:${value}`)
  await logPrint(process, `Output: map[${shown.sort().join(' ')}]`)
  return answer(200, sortedJson(output))
}

const signalWords: Record<string, string> = { KILL: 'killed', TERM: 'terminated', INT: 'interrupt', HUP: 'hangup', PIPE: 'broken pipe' }
