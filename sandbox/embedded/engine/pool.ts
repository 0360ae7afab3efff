import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { WatchEvent } from '../../engine.ts'
import type { OutsideView } from '../network/outside.ts'
import type { ClusterProcess, FromProcess, ToProcess } from './messages.ts'

export interface PoolOptions {
  /** Processes at most. */
  size: number
  onFault: (fault: string) => void
}

export interface TerminalListener {
  data(data: Uint8Array): void
  exit(exitCode: number): void
}

type Method = keyof ClusterProcess
type Args<M extends Method> = Parameters<ClusterProcess[M]>
type Result<M extends Method> = Awaited<ReturnType<ClusterProcess[M]>>

interface Member {
  child: ChildProcess
  calls: Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>
  clusters: Set<string>
  asked: number | null
  /** It has said something. */
  heard: boolean
}

const pulseMs = 2_000
/** A process that answers nothing for so long is ended and its clusters are brought back elsewhere. */
const patienceMs = 15_000
/** A process that has not answered anything yet may still be loading its program, on a machine that has much to do. */
const firstPatienceMs = 60_000

/**
 * The processes that run clusters. A cluster stays in its process; when that one dies (or answers nothing any more), every
 * cluster in it is announced through `onLost`, whose listener opens it again.
 */
export class ProcessPool implements AsyncDisposable {
  private readonly options: PoolOptions
  private readonly members: Member[] = []
  private readonly places = new Map<string, Member>()
  private readonly watchers = new Map<number, (event: WatchEvent) => void>()
  private readonly terminals = new Map<number, TerminalListener>()
  private readonly doors = new Map<number, (view: OutsideView) => void>()
  private next = 1
  private closed = false
  private readonly pulse: NodeJS.Timeout
  onLost: (cluster: string) => void = () => undefined

  constructor(options: PoolOptions) {
    this.options = options
    this.pulse = setInterval(() => this.check(), pulseMs)
    this.pulse.unref()
  }

  /** Starts the processes ahead of need. */
  warm(): void {
    while (this.members.length < this.options.size) this.start()
  }

  /** Gives a cluster its place: the process with the fewest. */
  place(cluster: string): void {
    if (this.places.has(cluster)) return
    const least = this.members.reduce<Member | null>((best, one) => (best && best.clusters.size <= one.clusters.size ? best : one), null)
    const member = least && (least.clusters.size === 0 || this.members.length >= this.options.size) ? least : this.start()
    member.clusters.add(cluster)
    this.places.set(cluster, member)
  }

  /** A fork runs where its original does. */
  placeBeside(fork: string, original: string): void {
    const member = this.places.get(original)
    if (!member) throw new Error(`No process runs cluster ${original}`)
    member.clusters.add(fork)
    this.places.set(fork, member)
  }

  free(cluster: string): void {
    this.places.get(cluster)?.clusters.delete(cluster)
    this.places.delete(cluster)
  }

  /** Asks the cluster's process. Rejects with what went wrong there, or when the process dies meanwhile. */
  call<M extends Method>(method: M, ...args: Args<M>): Promise<Result<M>> {
    const member = this.places.get(args[0])
    if (!member) return Promise.reject(new Error(`No process runs cluster ${args[0]}`))
    return this.ask(member, method, args) as Promise<Result<M>>
  }

  /** A number for a watch, under which its events come back. */
  watcher(listener: (event: WatchEvent) => void): { number: number } & Disposable {
    const number = this.next++
    this.watchers.set(number, listener)
    return { number, [Symbol.dispose]: () => void this.watchers.delete(number) }
  }

  /** A number for a door, under which its views come. */
  door(listener: (view: OutsideView) => void): { number: number } & Disposable {
    const number = this.next++
    this.doors.set(number, listener)
    return { number, [Symbol.dispose]: () => void this.doors.delete(number) }
  }

  /** A number for a shell, under which what it writes comes back. */
  terminal(listener: TerminalListener): { number: number } & Disposable {
    const number = this.next++
    this.terminals.set(number, listener)
    return { number, [Symbol.dispose]: () => void this.terminals.delete(number) }
  }

  /** Hands an event to a watch as if its process had told it. */
  deliver(watch: number, event: WatchEvent): void {
    this.watchers.get(watch)?.(event)
  }

  /** Pids, for figures. */
  pids(): number[] {
    return this.members.flatMap((member) => member.child.pid ?? [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true
    clearInterval(this.pulse)
    await Promise.all(
      this.members.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
        child.disconnect()
        const impatient = setTimeout(() => child.kill('SIGKILL'), 3_000)
        await gone
        clearTimeout(impatient)
      }),
    )
  }

  private ask(member: Member, method: Method, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.next++
      member.calls.set(call, { resolve, reject })
      const message: ToProcess = { call, method, args }
      member.child.send(message, (error) => {
        if (error && member.calls.delete(call)) reject(error)
      })
    })
  }

  private start(): Member {
    const child = fork(join(import.meta.dirname, 'process.ts'), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: ['--max-semi-space-size=4', '--disable-warning=ExperimentalWarning'],
    })
    const member: Member = { child, calls: new Map(), clusters: new Set(), asked: null, heard: false }
    this.members.push(member)
    child.on('message', (message: FromProcess) => this.receive(member, message))
    child.on('error', (error) => this.options.onFault(`a cluster process: ${error.message}`))
    child.on('exit', (code, signal) => this.lost(member, signal ?? `exit ${code}`))
    return member
  }

  private receive(member: Member, message: FromProcess): void {
    member.heard = true
    if ('watch' in message) this.watchers.get(message.watch)?.(message.event)
    else if ('door' in message) this.doors.get(message.door)?.(message.view)
    else if ('terminal' in message) {
      const listener = this.terminals.get(message.terminal)
      if ('data' in message) listener?.data(message.data)
      else listener?.exit(message.exitCode)
    } else if ('fault' in message) this.options.onFault(`cluster ${message.cluster}: ${message.fault}`)
    else this.answered(member, message)
  }

  private answered(member: Member, message: Extract<FromProcess, { call: number }>): void {
    const waiting = member.calls.get(message.call)
    member.calls.delete(message.call)
    if ('error' in message) waiting?.reject(new Error(message.error))
    else waiting?.resolve(message.result)
  }

  private lost(member: Member, why: string): void {
    this.members.splice(this.members.indexOf(member), 1)
    for (const { reject } of member.calls.values()) reject(new Error("The cluster's process ended; it is being brought back"))
    member.calls.clear()
    for (const cluster of member.clusters) this.places.delete(cluster)
    if (this.closed) return
    this.options.onFault(`a cluster process ended (${why}); its ${member.clusters.size} clusters are brought back`)
    for (const cluster of member.clusters) this.onLost(cluster)
  }

  private check(): void {
    const now = performance.now()
    for (const member of this.members) {
      if (member.asked !== null) {
        if (now - member.asked > (member.heard ? patienceMs : firstPatienceMs)) member.child.kill('SIGKILL')
        continue
      }
      const [any] = member.clusters
      if (any === undefined) continue
      member.asked = now
      const answered = () => {
        member.asked = null
      }
      this.ask(member, 'now', [any]).then(answered, answered)
    }
  }
}
