import { constants, createReadStream } from 'node:fs'
import { type FileHandle, open, readFile, truncate } from 'node:fs/promises'
import { createInterface } from 'node:readline'

const limitBytes = 32 * 2 ** 20
const flushAfterMs = 200

/**
 * Writes what a terminal shows as asciicast v2 (docs.asciinema.org/manual/asciicast/v2), from the first byte, appending
 * when the file is already there. At 32 MiB it says so in the recording and stops. Never makes the terminal wait.
 */
export class Recorder implements AsyncDisposable {
  private readonly file: FileHandle
  /** Where it is written down how far the file goes. */
  private readonly position: FileHandle
  private readonly startedAt: number
  /** The first bytes of a character whose others have not come yet. */
  private tail: Uint8Array = new Uint8Array(0)
  private pending = ''
  /** Bytes of the file and of what is pending. */
  private written: number
  /** Bytes of the shell's output that were given. */
  private seq: number
  private timer: NodeJS.Timeout | undefined
  private writing = Promise.resolve()
  private full = false
  private readonly onFault: (error: unknown) => void

  private constructor(
    file: FileHandle,
    position: FileHandle,
    startedAt: number,
    written: number,
    seq: number,
    onFault: (error: unknown) => void,
  ) {
    this.onFault = onFault
    this.file = file
    this.position = position
    this.startedAt = startedAt
    this.written = written
    this.seq = seq
  }

  /**
   * Goes on from `seq` bytes of the shell's output: 0 for a new shell, what `recordedSeq` said for one that lives on. `onFault` is
   * told when the disk refuses a write; the recording ends there.
   */
  static async open(path: string, cols: number, rows: number, seq: number, onFault: (error: unknown) => void): Promise<Recorder> {
    const file = await open(path, 'a+', 0o600)
    const position = await open(positionOf(path), constants.O_RDWR | constants.O_CREAT, 0o600)
    const { size } = await file.stat()
    if (size > 0) return new Recorder(file, position, (await headerTime(path)) ?? Date.now(), size, seq, onFault)
    const now = Date.now()
    const recorder = new Recorder(file, position, now, 0, seq, onFault)
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

  /** What the shell wrote. */
  output(bytes: Uint8Array): void {
    this.seq += bytes.length
    const joined = this.tail.length === 0 ? bytes : Buffer.concat([this.tail, bytes])
    const whole = joined.length - incompleteTail(joined)
    this.tail = Uint8Array.from(joined.subarray(whole))
    if (whole > 0) this.event('o', Buffer.from(joined.buffer, joined.byteOffset, whole).toString('utf8'))
  }

  /** What the platform wrote between. */
  aside(text: string): void {
    this.event('o', text)
  }

  /** A mark in the recording, which a player shows on its time line. */
  mark(label: string): void {
    this.event('m', label)
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
    const position = { bytes: this.written, seq: this.seq - this.tail.length }
    if (text)
      this.writing = this.writing.then(() =>
        this.append(text, position).catch((error: unknown) => {
          if (!this.full) this.onFault(error)
          this.full = true
        }),
      )
    await this.writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
    await this.file.close()
    await this.position.close()
  }

  private async append(text: string, position: Position): Promise<void> {
    await this.file.appendFile(text)
    // one short write at one place: whoever looks finds the old one or this one
    await this.position.write(JSON.stringify(position).padEnd(positionLength), 0)
  }

  private event(kind: 'o' | 'r' | 'm', data: string): void {
    if (this.full) return
    if (this.written > limitBytes) {
      this.full = true
      this.line(JSON.stringify([this.elapsed(), 'o', '\r\n[recording ends here, at 32 MiB / 录像到 32 MiB 为止]\r\n']))
      return
    }
    this.line(JSON.stringify([this.elapsed(), kind, data]))
  }

  private elapsed(): number {
    return Math.max(0, Date.now() - this.startedAt) / 1000
  }

  private line(text: string): void {
    this.pending += `${text}\n`
    this.written += Buffer.byteLength(text) + 1
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.flush()
    }, flushAfterMs)
  }
}

/**
 * How many bytes of the shell's output a recording holds for certain; what the file has beyond them is cut off, since the shell
 * tells it again. 0 when there is no recording.
 */
export async function recordedSeq(path: string): Promise<number> {
  const position = parse(await readFile(positionOf(path), 'utf8').catch(() => '')) as Position | null
  if (!position) return 0
  await truncate(path, position.bytes)
  return position.seq
}

export type RecordedEvent = { kind: 'o'; text: string } | { kind: 'r'; cols: number; rows: number }

/** The size at the beginning and then each output and change of size, oldest first. A torn last line is left out. */
export async function* readRecording(path: string): AsyncGenerator<RecordedEvent> {
  let first = true
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    const event = parse(line)
    if (first) {
      first = false
      const { width, height } = (event ?? {}) as { width?: number; height?: number }
      if (width && height) yield { kind: 'r', cols: width, rows: height }
    } else if (Array.isArray(event) && event[1] === 'o') yield { kind: 'o', text: String(event[2]) }
    else if (Array.isArray(event) && event[1] === 'r') {
      const [cols, rows] = String(event[2]).split('x').map(Number)
      if (cols && rows) yield { kind: 'r', cols, rows }
    }
  }
}

/** How many bytes at the end begin a UTF-8 character that is not complete. */
function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0
  }
  return 0
}

interface Position {
  /** Of the file. */
  bytes: number
  /** Of the shell's output, which they hold. */
  seq: number
}

const positionLength = 64

function positionOf(path: string): string {
  return `${path}.position`
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
