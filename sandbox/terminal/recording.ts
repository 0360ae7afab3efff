import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { StringDecoder } from 'node:string_decoder'

const limitBytes = 32 * 2 ** 20
const flushAfterMs = 200

/**
 * Writes what a terminal shows as asciicast v2 (docs.asciinema.org/manual/asciicast/v2), from the first byte, appending
 * when the file is already there. At 32 MiB it says so in the recording and stops. Never makes the terminal wait.
 */
export class Recorder implements AsyncDisposable {
  private readonly file: FileHandle
  private readonly startedAt: number
  private readonly decoder = new StringDecoder('utf8')
  private pending = ''
  private written: number
  private timer: NodeJS.Timeout | undefined
  private writing = Promise.resolve()
  private full = false
  /** Set when the disk refused a write; the recording ends there. */
  fault: Error | null = null

  private constructor(file: FileHandle, startedAt: number, written: number) {
    this.file = file
    this.startedAt = startedAt
    this.written = written
  }

  static async open(path: string, cols: number, rows: number): Promise<Recorder> {
    const file = await open(path, 'a+', 0o600)
    const { size } = await file.stat()
    if (size > 0) return new Recorder(file, (await headerTime(path)) ?? Date.now(), size)
    const now = Date.now()
    const recorder = new Recorder(file, now, 0)
    recorder.line(
      JSON.stringify({
        version: 2,
        width: cols,
        height: rows,
        timestamp: Math.floor(now / 1000),
        env: { TERM: 'xterm-256color', SHELL: '/bin/bash' },
      }),
    )
    await recorder.flush()
    return recorder
  }

  output(bytes: Uint8Array): void {
    const text = this.decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    if (text) this.event('o', text)
  }

  resize(cols: number, rows: number): void {
    this.event('r', `${cols}x${rows}`)
  }

  /** Resolves when everything so far is in the file. */
  async flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    const text = this.pending
    this.pending = ''
    if (text)
      this.writing = this.writing.then(() =>
        this.file.appendFile(text).catch((error: Error) => {
          this.fault = error
        }),
      )
    await this.writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
    await this.file.close()
  }

  private event(kind: 'o' | 'r', data: string): void {
    if (this.full) return
    if (this.written > limitBytes) {
      this.full = true
      this.line(JSON.stringify([this.elapsed(), 'o', '\r\n[recording ends here: 32 MiB]\r\n']))
      return
    }
    this.line(JSON.stringify([this.elapsed(), kind, data]))
  }

  private elapsed(): number {
    return Math.max(0, Date.now() - this.startedAt) / 1000
  }

  private line(text: string): void {
    this.pending += `${text}\n`
    this.written += text.length + 1
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.flush()
    }, flushAfterMs)
  }
}

/** Calls back with each output of a recording, oldest first. A torn last line is left out. */
export async function readRecording(path: string, onOutput: (text: string) => void): Promise<void> {
  let first = true
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (first) {
      first = false
      continue
    }
    const event = parse(line)
    if (Array.isArray(event) && event[1] === 'o') onOutput(String(event[2]))
  }
}

async function headerTime(path: string): Promise<number | null> {
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const header = parse(line) as { timestamp?: number } | null
    return header?.timestamp ? header.timestamp * 1000 : null
  }
  return null
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
