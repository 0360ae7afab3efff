import { parentPort, Worker, workerData } from 'node:worker_threads'
import { readYaml, writeYaml, type YamlReading } from './yaml-reading.ts'

/**
 * YAML takes a hundred times as long as JSON: large texts are read and written in a thread of their own, one for all clusters of
 * this process. It ends when nobody has asked it for a while.
 */
class YamlThread {
  private worker: Worker | undefined
  /** By whose they are; who comes first in the map is next. */
  private readonly waiting = new Map<object, Waiting[]>()
  private current: Waiting | undefined
  private idle: NodeJS.Timeout | undefined

  /** What `readYaml` says of a text. Those who ask (clusters) are served by turns. */
  read(owner: object, text: string): Promise<YamlReading> {
    return this.ask(owner, { read: text }) as Promise<YamlReading>
  }

  /** What `writeYaml` makes of JSON. */
  write(owner: object, json: string): Promise<string> {
    return this.ask(owner, { write: json }) as Promise<string>
  }

  private ask(owner: object, work: Work): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting = this.waiting.get(owner)
      if (waiting) waiting.push({ work, resolve, reject })
      else this.waiting.set(owner, [{ work, resolve, reject }])
      this.next()
    })
  }

  private next(): void {
    if (this.current) return
    const [first] = this.waiting
    if (!first) {
      this.rest()
      return
    }
    const [owner, [next, ...others]] = first
    this.waiting.delete(owner)
    if (others.length > 0) this.waiting.set(owner, others)
    clearTimeout(this.idle)
    this.current = next as Waiting
    this.worker ??= this.start()
    this.worker.ref()
    this.worker.postMessage(this.current.work)
  }

  private start(): Worker {
    const worker = new Worker(import.meta.filename, { workerData: role, resourceLimits: { maxOldGenerationSizeMb: heap }, execArgv: [] })
    const end = (answer: Answer) => {
      const { current } = this
      this.current = undefined
      if ('error' in answer) current?.reject(new Error(answer.error))
      else current?.resolve(answer.result)
      this.next()
    }
    worker.on('message', end)
    // one that ran out of memory: who asked is told, and the next has a new one
    worker.on('error', (error) => {
      if (this.worker !== worker) return
      this.worker = undefined
      end({ error: error.message })
    })
    return worker
  }

  private rest(): void {
    const { worker } = this
    worker?.unref()
    this.idle = setTimeout(() => {
      this.worker = undefined
      void worker?.terminate()
    }, patience)
    this.idle.unref()
  }
}

interface Waiting {
  work: Work
  resolve(result: unknown): void
  reject(error: unknown): void
}

type Work = { read: string } | { write: string }
type Answer = { result: unknown } | { error: string }

/** Characters from which a text is worth the way to another thread. */
export const largeYaml = 8 * 2 ** 10
/** ms without work after which it ends. */
const patience = 10_000
/** MiB. */
const heap = 512
const role = 'labernetes-yaml'

export const yamlThread = new YamlThread()

if (workerData === role) {
  parentPort?.on('message', (work: Work) => {
    try {
      parentPort?.postMessage({ result: 'read' in work ? readYaml(work.read) : writeYaml(work.write) } satisfies Answer)
    } catch (error) {
      parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Answer)
    }
  })
}
