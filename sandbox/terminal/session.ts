import { stat } from 'node:fs/promises'
import { SerializeAddon } from '@xterm/addon-serialize'
import headless from '@xterm/headless'
import type { TerminalProcess } from '../engine.ts'
import type { Language, Text } from '../text.ts'
import { clipped } from './columns.ts'
import { window } from './protocol.ts'
import { Recorder, readRecording, recordedSeq } from './recording.ts'

export interface Viewer {
  /** May type and set the size. One at a time, the last who asked. */
  wantsToWrite: boolean
  language: Language
  screen(screen: { seq: number; cols: number; rows: number; bytes: Uint8Array }): void
  output(seq: number, bytes: Uint8Array): void
  exit(code: number): void
  writer(writer: boolean): void
}

/** What a viewer can do with the session it watches. */
export interface Seat extends Disposable {
  readonly writer: boolean
  input(data: string): void
  resize(cols: number, rows: number): void
  ack(seq: number): void
}

interface Seated {
  viewer: Viewer
  sent: number
  acked: number
  /** Fell too far behind: gets the screen anew once it has caught up. */
  behind: boolean
}

const scrollback = 5_000
/** Output per second above which a shell has to wait, so that `yes` costs little. */
const bytesPerSecond = 4 * 2 ** 20
const breathMs = 50

/**
 * One terminal of a sandbox while the platform runs: the shell's pty, a screen kept without a browser (so that a reload
 * finds it as it was), its recording, and whoever watches. Output waits in the kernel while the writer's browser or this
 * process is behind.
 */
export class TerminalSession implements AsyncDisposable {
  readonly id: string
  private readonly process: TerminalProcess
  private readonly recorder: Recorder
  private readonly screen: InstanceType<typeof headless.Terminal>
  private readonly serializer = new SerializeAddon()
  private readonly seats = new Set<Seated>()
  private readonly exitListeners = new Set<() => void>()
  private readonly inputListeners = new Set<() => void>()
  private writer: Seated | null = null
  private seq = 0
  /** Output that the kept screen has not taken in yet, oldest first. */
  private readonly unparsed: { from: number; bytes: Uint8Array }[] = []
  private paused = false
  private spent = 0
  private breath: NodeJS.Timeout | undefined
  /** Of whoever writes, or wrote last. */
  private language: Language
  /** Set once the shell has ended. */
  exitCode: number | null = null

  /** Set while the screen is brought back: what programs asked the terminal then has been answered long ago. */
  private restoring = false

  private constructor(id: string, process: TerminalProcess, recorder: Recorder, cols: number, rows: number, language: Language) {
    this.id = id
    this.language = language
    this.process = process
    this.recorder = recorder
    this.screen = new headless.Terminal({ cols, rows, scrollback, allowProposedApi: true })
    this.screen.loadAddon(this.serializer as unknown as Parameters<typeof this.screen.loadAddon>[0])
    // programs that ask the terminal (cursor position, device attributes) are answered here when nobody watches
    this.screen.onData((data) => {
      if (this.seats.size === 0 && !this.restoring) this.process.write(data)
    })
  }

  /**
   * Opens a terminal. When `recording` is there already (the platform was restarted), the screen is first brought back from
   * it. `start` is told how much of the shell's output the recording holds: a shell that lives on goes on from there, and the
   * recording has a mark; under a new shell's screen a line says so.
   */
  static async open(options: {
    id: string
    recording: string
    cols: number
    rows: number
    /** Of who is going to write. */
    language: Language
    start: (cols: number, rows: number, seq: number) => Promise<TerminalProcess>
    /** The recording ends early. */
    onFault: (error: unknown) => void
  }): Promise<TerminalSession> {
    const { id, recording, cols, rows } = options
    const before = await stat(recording).catch(() => null)
    const known = before && before.size > 0 ? await recordedSeq(recording) : 0
    const process = await options.start(cols, rows, known)
    const from = process.continuesAt
    const recorder = await Recorder.open(recording, cols, rows, from ?? 0, options.onFault).catch(async (error) => {
      await letGoOf(process)
      throw error
    })
    const session = new TerminalSession(id, process, recorder, cols, rows, options.language)
    try {
      if (before && before.size > 0) await session.restore(recording, from === undefined ? null : from - known)
      process.onData((bytes) => session.receive(bytes))
      process.onExit(({ exitCode }) => session.ended(exitCode))
      return session
    } catch (error) {
      await session.detach()
      throw error
    }
  }

  /** Seats a viewer: it gets the screen at once and the output from there on. */
  attach(viewer: Viewer): Seat {
    const seated: Seated = { viewer, sent: this.seq, acked: this.seq, behind: false }
    this.seats.add(seated)
    if (viewer.wantsToWrite) this.giveWriter(seated)
    this.sendScreen(seated)
    if (this.exitCode !== null) viewer.exit(this.exitCode)
    const session = this
    return {
      get writer() {
        return session.writer === seated
      },
      input: (data) => {
        if (this.writer !== seated) return
        this.process.write(data)
        for (const listener of this.inputListeners) listener()
      },
      resize: (cols, rows) => {
        if (this.writer === seated) this.resize(cols, rows)
      },
      ack: (seq) => {
        seated.acked = Math.max(seated.acked, Math.min(seq, this.seq))
        if (seated.behind && seated.sent - seated.acked < window / 2) this.sendScreen(seated)
        this.flow()
      },
      [Symbol.dispose]: () => {
        this.seats.delete(seated)
        if (this.writer === seated) this.writer = null
        this.flow()
      },
    }
  }

  /** Calls back when the shell ends, at once when it has. */
  onExit(listener: () => void): Disposable {
    if (this.exitCode !== null) listener()
    else this.exitListeners.add(listener)
    return { [Symbol.dispose]: () => void this.exitListeners.delete(listener) }
  }

  /** After each thing that somebody typed. */
  onInput(listener: () => void): Disposable {
    this.inputListeners.add(listener)
    return { [Symbol.dispose]: () => void this.inputListeners.delete(listener) }
  }

  /**
   * Shows a line that the platform, not the shell, has to say, above the one where the cursor is, and marks it in the recording.
   * A program that has the whole screen is not disturbed: then there is the mark alone. Resolves when it is shown.
   */
  async announce(text: Text): Promise<void> {
    // what the shell wrote before has to be on the screen to know where the cursor is
    await new Promise<void>((resolve) => this.screen.write('', resolve))
    const sentence = text[this.language]
    this.recorder.mark(sentence)
    const { active } = this.screen.buffer
    if (active.type === 'alternate') return
    let rowsUp = 0
    while (active.getLine(active.baseY + active.cursorY - rowsUp)?.isWrapped) rowsUp++
    const said = clipped(`— ${sentence} —`, this.screen.cols)
    const line = `\n\x1b[A\x1b7${rowsUp > 0 ? `\x1b[${rowsUp}A` : ''}\r\x1b[L\x1b[2m${said}\x1b8\x1b[B`
    this.recorder.aside(line)
    this.show(Buffer.from(line))
  }

  /** Resolves when the recording's file holds everything so far. */
  flush(): Promise<void> {
    return this.recorder.flush()
  }

  /** Ends the session but leaves the shell running where shells outlive the platform; elsewhere as disposing. */
  async detach(): Promise<void> {
    await this.close(() => letGoOf(this.process))
  }

  /** Ends the shell too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(async () => this.process[Symbol.asyncDispose]())
  }

  private async close(end: () => Promise<void>): Promise<void> {
    clearTimeout(this.breath)
    await end()
    await this.recorder[Symbol.asyncDispose]()
    this.screen.dispose()
    this.seats.clear()
  }

  private resize(cols: number, rows: number): void {
    if (cols === this.screen.cols && rows === this.screen.rows) return
    this.screen.resize(cols, rows)
    this.process.resize(cols, rows)
    this.recorder.resize(cols, rows)
  }

  private receive(bytes: Uint8Array): void {
    this.spent += bytes.length
    this.recorder.output(bytes)
    this.show(bytes)
  }

  private show(bytes: Uint8Array): void {
    const from = this.seq
    this.seq += bytes.length
    this.unparsed.push({ from, bytes })
    this.screen.write(bytes, () => {
      this.unparsed.shift()
      this.flow()
    })
    for (const seated of this.seats) {
      if (seated.behind) continue
      if (seated !== this.writer && from - seated.acked > 2 * window) {
        seated.behind = true
        continue
      }
      seated.sent = this.seq
      seated.viewer.output(from, bytes)
    }
    this.flow()
  }

  private flow(): void {
    const writerBehind = this.writer !== null && this.seq - this.writer.acked > window
    const tooFast = this.spent > (bytesPerSecond * breathMs) / 1000
    if (tooFast && !this.breath)
      this.breath = setTimeout(() => {
        this.breath = undefined
        this.spent = 0
        this.flow()
      }, breathMs)
    const unparsed = this.seq - (this.unparsed[0]?.from ?? this.seq)
    const pause = unparsed > window || writerBehind || this.breath !== undefined
    if (pause === this.paused || this.exitCode !== null) return
    this.paused = pause
    if (pause) this.process.pause()
    else this.process.resume()
  }

  private sendScreen(seated: Seated): void {
    seated.behind = false
    seated.sent = this.seq
    seated.acked = this.seq
    const bytes = Buffer.from(this.serializer.serialize({ scrollback }))
    seated.viewer.screen({ seq: this.unparsed[0]?.from ?? this.seq, cols: this.screen.cols, rows: this.screen.rows, bytes })
    for (const { from, bytes: late } of this.unparsed) seated.viewer.output(from, late)
  }

  private giveWriter(seated: Seated): void {
    const before = this.writer
    this.writer = seated
    this.language = seated.viewer.language
    if (before) before.viewer.writer(false)
    seated.viewer.writer(true)
  }

  /** `missed`: how many bytes of a shell that lives on are gone; null for a new shell. */
  private async restore(path: string, missed: number | null): Promise<void> {
    this.restoring = true
    const drawn = () => new Promise<void>((resolve) => this.screen.write('', resolve))
    for await (const event of readRecording(path)) {
      if (event.kind === 'o') {
        this.screen.write(event.text)
        continue
      }
      // a size is taken at once, what is written only later
      await drawn()
      this.screen.resize(event.cols, event.rows)
    }
    await drawn()
    this.restoring = false
    if (missed === null) {
      this.process.resize(this.screen.cols, this.screen.rows)
      const below = '\r\n'
      this.recorder.aside(below)
      this.show(Buffer.from(below))
      await this.announce({
        en: 'Labernetes was restarted: this is a new shell, your files are as they were',
        zh: 'Labernetes 已重启：这是一个新的 shell，你的文件都还在',
      })
      return
    }
    this.recorder.mark({ en: 'the platform was restarted', zh: '平台重启过' }[this.language])
    if (missed > 0)
      await this.announce({
        en: `${missed} bytes that were written here meanwhile are not kept`,
        zh: `重启期间这里输出的 ${missed} 字节没有保留`,
      })
  }

  private ended(code: number): void {
    this.exitCode = code
    for (const seated of this.seats) seated.viewer.exit(code)
    for (const listener of this.exitListeners) listener()
  }
}

async function letGoOf(process: TerminalProcess): Promise<void> {
  await (process.detach ? process.detach() : process[Symbol.asyncDispose]())
}
