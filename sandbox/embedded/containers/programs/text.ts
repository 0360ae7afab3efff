import type { OpenFile } from '../kernel/open-file.ts'
import { Killed, type Process } from '../kernel/process.ts'
import { Errno, errorText } from '../vfs/errno.ts'
import { hasCoreutils } from './usage.ts'

/** Text output of a program, written in blocks; `flush` before waiting for input and at the end. */
export class Output {
  private readonly process: Process
  private readonly to: number | OpenFile
  private text = ''

  constructor(process: Process, to: number | OpenFile = 1) {
    this.process = process
    this.to = to
  }

  /** What it returns is waited for. */
  add(text: string): Promise<void> | undefined {
    this.text += text
    return this.text.length > 16384 ? this.flush() : undefined
  }

  line(text: string): Promise<void> | undefined {
    return this.add(`${text}\n`)
  }

  async flush(): Promise<void> {
    const { text, to } = this
    this.text = ''
    if (text === '') return
    if (typeof to === 'number') await this.process.write(to, text)
    else await to.write(Buffer.from(text), this.process)
  }
}

/** The lines of an open file without their newlines. `output` is flushed whenever the input might block. */
export async function* lines(process: Process, open: OpenFile, output?: Output): AsyncGenerator<string> {
  for await (const block of blocks(process, open, output)) for (const line of block) yield line
}

/** The same lines, as many at once as there are. */
export async function* blocks(process: Process, open: OpenFile, output?: Output): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder()
  let rest = ''
  let held = 0
  try {
    for (;;) {
      if (output && open.kind !== 'file') await output.flush()
      const chunk = await open.read(65536, process)
      if (chunk.length === 0) break
      const wait = process.spend(chunk.length * 10)
      if (wait) await wait
      rest += decoder.decode(chunk, { stream: true })
      if (!rest.includes('\n')) {
        process.allocate(chunk.length)
        held += chunk.length
        continue
      }
      const parts = rest.split('\n')
      rest = parts.pop() as string
      yield parts
    }
    if (rest !== '') yield [rest]
  } finally {
    if (!process.ended) process.allocate(-held)
  }
}

/**
 * Opens each operand ('-' and none is stdin) and hands it on; one that cannot be opened is complained about as
 * "name: path: text" and makes the exit code `failure`.
 */
export async function eachInput(
  process: Process,
  operands: readonly string[],
  use: (open: OpenFile, path: string) => Promise<void>,
  wording: (path: string, error: Errno) => string = (path, error) => `${path}: ${error.message}`,
): Promise<boolean> {
  let fine = true
  for (const path of operands.length > 0 ? operands : ['-']) {
    if (path === '-') {
      const stdin = process.files.get(0)
      if (stdin) await use(stdin, '-')
      continue
    }
    let open: OpenFile
    try {
      open = process.open(path, 'read').retain()
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      fine = false
      await process.complain(`${process.name}: ${wording(path, error)}\n`)
      continue
    }
    try {
      await use(open, path)
    } catch (error) {
      if (error instanceof Killed || !(error instanceof Errno) || error.code !== 'EISDIR') throw error
      fine = false
      const what = process.name === 'cat' && !hasCoreutils(process) ? 'read error' : path
      await process.complain(`${process.name}: ${what}: ${errorText(error)}\n`)
    } finally {
      open.release()
    }
  }
  return fine
}

/** busybox' wording for a file that cannot be opened. */
export function cantOpen(path: string, error: Errno): string {
  return `can't open '${path}': ${error.message}`
}

/** Everything that is left in a descriptor, as text. */
export async function readText(process: Process, open: OpenFile): Promise<string> {
  return Buffer.from(await readBytes(process, open)).toString()
}

export async function readBytes(process: Process, open: OpenFile): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const chunk = await open.read(65536, process)
      if (chunk.length === 0) break
      chunks.push(chunk)
      size += chunk.length
      process.allocate(chunk.length)
      const wait = process.spend(chunk.length * 10)
      if (wait) await wait
    }
  } finally {
    if (!process.ended) process.allocate(-size)
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
}
