import { Errno } from '../vfs/errno.ts'
import { nothing, OpenFile } from './open-file.ts'
import type { Process } from './process.ts'

/** As Linux: a writer waits when this much is unread. */
const capacity = 65536

/** A byte queue with a reading and a writing end. Readers wait for data, writers for room. */
export class Pipe {
  private chunks: Uint8Array[] = []
  private size = 0
  private readers = 0
  private writers = 0
  private waiting: (() => void)[] = []

  reader(): OpenFile {
    this.readers++
    return new PipeEnd(this, 'read')
  }

  writer(): OpenFile {
    this.writers++
    return new PipeEnd(this, 'write')
  }

  async take(max: number, process: Process): Promise<Uint8Array> {
    while (this.chunks.length === 0) {
      if (this.writers === 0) return nothing
      await this.change(process)
    }
    const first = this.chunks[0] as Uint8Array
    if (first.length > max) {
      this.chunks[0] = first.subarray(max)
      this.size -= max
      this.wake()
      return first.subarray(0, max)
    }
    this.chunks.shift()
    this.size -= first.length
    this.wake()
    return first
  }

  async put(data: Uint8Array, process: Process): Promise<void> {
    let rest = data
    while (rest.length > 0) {
      if (this.readers === 0) throw new Errno('EPIPE')
      const room = capacity - this.size
      if (room <= 0) {
        await this.change(process)
        continue
      }
      const part = rest.length > room ? rest.subarray(0, room) : rest
      this.chunks.push(part)
      this.size += part.length
      rest = rest.subarray(part.length)
      this.wake()
    }
  }

  /** Puts without waiting for room: from outside the container (kubectl's stdin). */
  feed(data: Uint8Array): void {
    if (this.readers === 0 || data.length === 0) return
    this.chunks.push(data)
    this.size += data.length
    this.wake()
  }

  leave(end: 'read' | 'write'): void {
    if (end === 'read') this.readers--
    else this.writers--
    this.wake()
  }

  private change(process: Process): Promise<void> {
    return process.block((resolve) => {
      this.waiting.push(resolve)
      return () => {
        this.waiting = this.waiting.filter((waiter) => waiter !== resolve)
      }
    })
  }

  private wake(): void {
    if (this.waiting.length === 0) return
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}

class PipeEnd extends OpenFile {
  readonly kind = 'pipe'
  private readonly pipe: Pipe
  private readonly end: 'read' | 'write'
  constructor(pipe: Pipe, end: 'read' | 'write') {
    super()
    this.pipe = pipe
    this.end = end
    this.path = 'pipe:[4026]'
  }
  read(max: number, process: Process): Promise<Uint8Array> {
    if (this.end === 'write') throw new Errno('EBADF')
    return this.pipe.take(max, process)
  }
  write(data: Uint8Array, process: Process): Promise<void> {
    if (this.end === 'read') throw new Errno('EBADF')
    return this.pipe.put(data, process)
  }
  protected override closed(): void {
    this.pipe.leave(this.end)
  }
}
