import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Verdict } from '../check/kit.ts'
import { Observer } from '../check/observer.ts'
import type { Engine, Sandbox, SandboxSpec } from '../engine.ts'
import { TerminalSession } from '../terminal/session.ts'
import { type Language, type Text, Told } from '../text.ts'
import { ChangeLog, readChanges } from './change-log.ts'
import { type ClusterView, clusterView, watchClusterView } from './cluster-view.ts'
import { type Piece, piecesOf } from './evidence.ts'
import { allowsNodeShells, type Bench, type EngineChoice, Grounds } from './grounds.ts'
import { type Lab, runStartScript } from './labs.ts'
import { nameNodes } from './node-names.ts'
import { type ClusterTime, type Skipped, sayDuration, skipTime } from './skip.ts'

export interface SupervisorOptions {
  /** Cheapest first. */
  engines: readonly Engine[]
  labs: ReadonlyMap<string, Lab>
  /** What stands beside a lesson, by its name; a plain cluster for one that is not here. */
  benches?: Readonly<Record<string, Bench>>
  /** Folder for what is kept of running sandboxes besides the cluster: changes, recordings. */
  dir: string
  version: string
  onFault: (where: string, error: unknown) => void
}

export interface Order {
  /** Unique for ever, safe in a file name; the sandbox's id too. */
  lease: string
  lab: string | null
  /** '<module>/<lesson>' that it stands beside. */
  lesson?: string | null
  /** The engine that it has to run on; the cheapest that can unless given. */
  engine?: string | null
}

export interface Started {
  engine: string
  /** Those that a terminal can be opened on. */
  nodes: string[]
}

export interface Terminal {
  id: string
  title: string
  node: string | null
}

export type Report =
  | { type: 'step'; step: string }
  | { type: 'verdict'; verdict: Verdict }
  | { type: 'terminals'; terminals: Terminal[] }
  /** A trial on the learner's own cluster begins (what it does) or is over (null). */
  | { type: 'trial'; what: Text | null }
  /** Time begins to be skipped, goes on, or is over. */
  | { type: 'time'; time: ClusterTime }
  | { type: 'active' }
  /** It cannot be brought back; `reason` says why. */
  | { type: 'lost'; reason: Text }

export type Listener = (report: Report) => void

export interface HandedIn {
  verdict: Verdict
  versions: { lab: string; engine: string; kubernetes: string }
  pieces: Piece[]
}

interface Live {
  order: Order
  lab: Lab | null
  engine: Engine
  sandbox: Sandbox
  listener: Listener
  observer: Promise<Observer> | null
  changes: Promise<ChangeLog> | null
  sessions: Map<string, Promise<TerminalSession>>
  kept: Kept
  skipping: ClusterTime['skipping']
  /** Aborted when it is let go. */
  attended: AbortController | null
}

/** What outlives the process, in state.json. */
interface Kept {
  engine: string
  /** The engine's when it was made. */
  storageFormat?: number
  nodes: string[]
  startedAt: number
  terminals: Terminal[]
  opened: number
}

const freeNodes = 3
const activeEveryMs = 10_000
const progressEveryMs = 150

/**
 * Runs sandboxes for the platform, whatever engine they are on: starts, judges, terminals, hand-in, and bringing back what
 * still stands after a restart. It decides nothing about time or quota: that is the platform's, which keeps the leases.
 */
export class Supervisor implements AsyncDisposable {
  private readonly options: SupervisorOptions
  private readonly grounds: Grounds
  private readonly live = new Map<string, Live>()

  constructor(options: SupervisorOptions) {
    this.options = options
    this.grounds = new Grounds(options)
  }

  async engines(): Promise<Record<string, { capabilities: Record<string, true | Text> }>> {
    return Object.fromEntries(
      await Promise.all(this.options.engines.map(async (engine) => [engine.name, { capabilities: await engine.capabilities() }] as const)),
    )
  }

  /** Resolves when the learner can work in it. Rejects with a sentence; nothing is left behind then. */
  async start(order: Order, listener: Listener, signal: AbortSignal): Promise<Started> {
    const lab = order.lab === null ? null : this.grounds.labOf(order.lab)
    const ground = this.grounds.of(order)
    const engine = await this.grounds.engineFor(order, order.engine ?? null)
    await mkdir(this.folder(order.lease), { recursive: true, mode: 0o700 })
    try {
      const sandbox = await engine.create(specOf(order, lab, ground), ({ step }) => listener({ type: 'step', step }), signal)
      if (lab) await runStartScript(lab, sandbox)
      else if (allowsNodeShells(ground) && sandbox.engine !== 'hosts') await nameNodes(sandbox)
      const nodes = allowsNodeShells(ground) ? await sandbox.nodes() : []
      const { name, storageFormat } = engine
      const kept: Kept = {
        engine: name,
        ...(storageFormat === undefined ? {} : { storageFormat }),
        nodes,
        startedAt: await sandbox.now(),
        terminals: [],
        opened: 0,
      }
      await this.keep(order.lease, kept)
      this.begin(liveOf({ order, lab, engine, sandbox, listener, kept }))
      return { engine: engine.name, nodes: kept.nodes }
    } catch (error) {
      await this.end(order.lease)
      throw error
    }
  }

  /**
   * Brings back the sandboxes of these orders and destroys every other one that is found. One that another version stored in its
   * own way is not brought back by halves: it is reported as lost.
   */
  async adopt(orders: readonly Order[], listenerOf: (lease: string) => Listener): Promise<Map<string, Started>> {
    const found = new Map<string, Started>()
    const leases: string[] = []
    for (const { lease } of orders) {
      if (await this.isOfAnotherVersion(lease)) listenerOf(lease)({ type: 'lost', reason: ofAnotherVersion })
      else leases.push(lease)
    }
    for (const engine of this.options.engines)
      for (const sandbox of await engine.adopt(leases)) {
        const order = orders.find((one) => one.lease === sandbox.id)
        const kept = await this.recall(sandbox.id)
        if (!order || !kept || (order.lab !== null && !this.options.labs.has(order.lab))) {
          await engine.destroy(sandbox.id)
          continue
        }
        const lab = order.lab === null ? null : this.grounds.labOf(order.lab)
        this.begin(liveOf({ order, lab, engine, sandbox, listener: listenerOf(order.lease), kept }))
        found.set(order.lease, { engine: engine.name, nodes: kept.nodes })
      }
    for (const lease of await readdir(this.options.dir).catch(() => []))
      if (!found.has(lease)) await rm(join(this.options.dir, lease), { recursive: true, force: true })
    return found
  }

  async end(lease: string): Promise<void> {
    const found = this.live.get(lease)
    this.live.delete(lease)
    if (found) await this.letGo(found)
    for (const engine of this.options.engines) await engine.destroy(lease)
    await rm(this.folder(lease), { recursive: true, force: true })
  }

  async reset(lease: string): Promise<Started> {
    const { order, listener, engine } = this.at(lease)
    await this.end(lease)
    return this.start({ ...order, engine: engine.name }, listener, new AbortController().signal)
  }

  async pause(lease: string): Promise<void> {
    const found = this.at(lease)
    await this.letGo(found)
    found.observer = null
    found.changes = null
    if (!found.sandbox.holdsShells) found.kept.terminals = []
    await this.keep(lease, found.kept)
    await found.sandbox.pause()
  }

  async resume(lease: string): Promise<Started> {
    const found = this.at(lease)
    await found.sandbox.resume()
    this.begin(found)
    return { engine: found.engine.name, nodes: found.kept.nodes }
  }

  async openTerminal(lease: string, node: string | null): Promise<Terminal> {
    const found = this.at(lease)
    if (node !== null && !found.kept.nodes.includes(node)) throw new Error(`There is no shell on ${node} here`)
    const number = ++found.kept.opened
    const terminal: Terminal = { id: randomUUID(), title: node ?? `Terminal ${number}`, node }
    found.kept.terminals.push(terminal)
    await this.keep(lease, found.kept)
    try {
      await this.sessionOf(found, terminal)
    } catch (error) {
      this.forget(found, terminal.id)
      throw error
    }
    this.tellTerminals(found)
    return terminal
  }

  async closeTerminal(lease: string, terminal: string): Promise<void> {
    const found = this.at(lease)
    const session = found.sessions.get(terminal)
    this.forget(found, terminal)
    await this.keep(lease, found.kept)
    this.tellTerminals(found)
    await (await session)?.[Symbol.asyncDispose]()
  }

  async terminals(lease: string): Promise<Terminal[]> {
    return [...this.at(lease).kept.terminals]
  }

  /**
   * The session behind a terminal. When the platform was restarted meanwhile: the same shell where shells outlive it, a new one
   * under its old screen elsewhere.
   */
  async session(lease: string, terminal: string, language: Language): Promise<TerminalSession> {
    const found = this.at(lease)
    const known = found.kept.terminals.find((one) => one.id === terminal)
    if (!known) throw new Told({ en: 'This terminal was closed.', zh: '这个终端已经关闭。' })
    return this.sessionOf(found, known, language)
  }

  clusterView(lease: string): Promise<ClusterView> {
    return clusterView(this.at(lease).sandbox)
  }

  watchCluster(lease: string, listener: (view: ClusterView) => void, signal: AbortSignal): Promise<void> {
    return watchClusterView(this.at(lease).sandbox, listener, signal)
  }

  async clusterTime(lease: string): Promise<ClusterTime> {
    const found = this.at(lease)
    return timeIn(found, await found.sandbox.now())
  }

  /** Skips time by so many seconds, or (null) to the next thing that happens; an abort stops it where it is. */
  async skipAhead(lease: string, seconds: number | null, signal: AbortSignal): Promise<Skipped> {
    const found = this.at(lease)
    const { sandbox, listener, engine } = found
    if (whetherSkipped(found) !== 'yes') throw new Error(`Time cannot be skipped here, on a ${engine.name} cluster`)
    const began = Date.now()
    let toldAt = Number.NEGATIVE_INFINITY
    const tell = (now: number) => {
      if (performance.now() - toldAt < progressEveryMs) return
      toldAt = performance.now()
      listener({ type: 'time', time: timeIn(found, now) })
    }
    const ms = seconds === null ? null : seconds * 1000
    const start = await sandbox.now()
    found.skipping = { from: start, to: ms === null ? null : start + ms }
    try {
      tell(start)
      const skipped = await skipTime(sandbox, ms, tell, signal)
      await this.noteSkip(found, skipped, began)
      return skipped
    } finally {
      found.skipping = null
      listener({ type: 'time', time: await this.clusterTime(lease) })
    }
  }

  private async noteSkip({ changes, sessions, observer }: Live, { from, to }: Skipped, began: number): Promise<void> {
    ;(await changes)?.note({ type: 'SKIPPED', time: from, to, began, ended: Date.now() })
    const skipped = sayDuration(to - from)
    const clock = `${new Date(to).toISOString().slice(11, 19)} UTC`
    await announce(sessions, {
      en: `${skipped.en} were skipped: in the cluster it is ${clock}`,
      zh: `已快进 ${skipped.zh}：集群里现在是 ${clock}`,
    })
    await (await observer)?.again()
  }

  /** Tries the lab's provocations anew, on the learner's own cluster where it cannot be copied. Resolves when all are undone. */
  async tryNow(lease: string): Promise<void> {
    const observer = await this.at(lease).observer
    if (!observer) throw new Error('There is no lab to try')
    await observer.tryNow()
  }

  /** Judges for the last time and collects everything a submission keeps. */
  async handIn(lease: string): Promise<HandedIn> {
    const found = this.at(lease)
    const observer = await found.observer
    if (!observer || !found.lab) throw new Error('There is no lab to hand in')
    // before the last trials, which may change the learner's own cluster for a while
    const snapshot = await found.sandbox.snapshot()
    const { evidence, verdict } = await observer.conclude()
    const audit = (await found.sandbox.auditLog?.()) ?? null
    const ahead = (await found.sandbox.now()) - Date.now()
    await (await found.changes)?.flush()
    await Promise.all([...found.sessions.values()].map(async (session) => (await session).flush()))
    const pieces = await piecesOf({
      evidence,
      changes: await readChanges(join(this.folder(lease), 'objects.jsonl')),
      verdicts: observer.verdicts,
      snapshot,
      audit: audit?.filter(({ time }) => time >= found.kept.startedAt) ?? null,
      terminals: join(this.folder(lease), 'terminals'),
      ahead,
    })
    const versions = {
      lab: found.lab.digest,
      engine: `${found.engine.name} ${this.options.version}`,
      kubernetes: snapshot.kubernetesVersion,
    }
    return { verdict, versions, pieces }
  }

  /** Which engines could run a lab or a bench, the one that is taken unless another is asked for first. */
  engineChoices(order: Pick<Order, 'lab' | 'lesson'>): Promise<EngineChoice[]> {
    return this.grounds.choices(order)
  }

  /** Lets go of everything but leaves sandboxes as they are, for the next process to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.live.values()].map((found) => this.letGo(found)))
    this.live.clear()
    for (const engine of this.options.engines) await engine[Symbol.asyncDispose]()
  }

  private begin(found: Live): void {
    const { order, lab, sandbox, listener, kept } = found
    this.live.set(order.lease, found)
    found.attended = new AbortController()
    sandbox.onNotice?.((notice) => void announce(found.sessions, notice), found.attended.signal)
    if (!lab) return
    found.observer = Observer.start({
      sandbox,
      lab: lab.definition,
      startedAt: kept.startedAt,
      changesFile: join(this.folder(order.lease), 'changes.jsonl'),
      onVerdict: (verdict) => listener({ type: 'verdict', verdict }),
      onTrial: (what) => void this.announceTrial(found, what),
      onFault: (fault) =>
        this.options.onFault(`lab ${lab.definition.slug}: ${'criterion' in fault ? fault.criterion : fault.where}`, fault.error),
    })
    found.observer.catch((error) => this.options.onFault(`lab ${lab.definition.slug} cannot be observed`, error))
    const faulty = (error: unknown) => this.options.onFault('keeping the changes of a sandbox', error)
    found.changes = ChangeLog.start(sandbox, join(this.folder(order.lease), 'objects.jsonl'), faulty)
    found.changes.catch(faulty)
  }

  private async letGo(found: Live): Promise<void> {
    found.attended?.abort()
    const sessions = [...found.sessions.values()]
    found.sessions.clear()
    await Promise.allSettled(sessions.map(async (session) => (await session).detach()))
    const owned = [found.observer, found.changes]
    await Promise.allSettled(owned.map(async (one) => (await one)?.[Symbol.asyncDispose]()))
  }

  private sessionOf(found: Live, terminal: Terminal, language: Language = 'en'): Promise<TerminalSession> {
    const known = found.sessions.get(terminal.id)
    if (known) return known
    const { lease } = found.order
    const opening = this.openSession(found, terminal, language)
    found.sessions.set(terminal.id, opening)
    opening.catch(() => found.sessions.delete(terminal.id))
    void opening.then(
      (session) => {
        let toldAt = Number.NEGATIVE_INFINITY
        session.onInput(() => {
          if (performance.now() - toldAt < activeEveryMs) return
          toldAt = performance.now()
          found.listener({ type: 'active' })
        })
        session.onExit(() => {
          if (this.live.get(lease) !== found || found.sessions.get(terminal.id) !== opening) return
          this.closeTerminal(lease, terminal.id).catch((error) => this.options.onFault('closing a terminal', error))
        })
      },
      () => undefined,
    )
    return opening
  }

  private async openSession({ order, sandbox }: Live, terminal: Terminal, language: Language): Promise<TerminalSession> {
    const folder = join(this.folder(order.lease), 'terminals')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return TerminalSession.open({
      id: terminal.id,
      recording: join(folder, `${terminal.id}.cast`),
      cols: 80,
      rows: 24,
      language,
      onFault: (error) => this.options.onFault('recording a terminal', error),
      start: (cols, rows, seq) =>
        sandbox.openTerminal({ cols, rows, held: { id: terminal.id, seq }, ...(terminal.node ? { node: terminal.node } : {}) }),
    })
  }

  private forget(found: Live, terminal: string): void {
    found.sessions.delete(terminal)
    found.kept.terminals = found.kept.terminals.filter((one) => one.id !== terminal)
  }

  private tellTerminals({ listener, kept }: Live): void {
    listener({ type: 'terminals', terminals: [...kept.terminals] })
  }

  private announceTrial({ sessions, listener }: Live, what: Text | null): void {
    listener({ type: 'trial', what })
    void announce(
      sessions,
      what
        ? { en: `a trial on this cluster, to be undone afterwards: ${what.en}`, zh: `正在这个集群上试验，结束后会复原：${what.zh}` }
        : { en: 'the trial is over and undone', zh: '试验结束，已经复原' },
    )
  }

  private at(lease: string): Live {
    const found = this.live.get(lease)
    if (!found) throw new Told({ en: 'This sandbox does not run.', zh: '这个沙箱没有在运行。' })
    return found
  }

  private folder(lease: string): string {
    return join(this.options.dir, lease)
  }

  private async keep(lease: string, kept: Kept): Promise<void> {
    const file = join(this.folder(lease), 'state.json')
    // two may keep at once: each has a draft of its own
    const draft = `${file}.${randomUUID()}`
    await writeFile(draft, JSON.stringify(kept), { mode: 0o600 })
    await rename(draft, file)
  }

  private async isOfAnotherVersion(lease: string): Promise<boolean> {
    const kept = await this.recall(lease)
    const engine = this.options.engines.find(({ name }) => name === kept?.engine)
    return kept !== null && engine !== undefined && engine.storageFormat !== kept.storageFormat
  }

  private async recall(lease: string): Promise<Kept | null> {
    const text = await readFile(join(this.folder(lease), 'state.json'), 'utf8').catch(() => null)
    return text === null ? null : (JSON.parse(text) as Kept)
  }
}

const ofAnotherVersion: Text = {
  en: 'Labernetes was upgraded, and the version before stored this cluster in a way that this one does not read. Start anew; what was handed in is kept.',
  zh: 'Labernetes 已升级，这个集群由之前的版本保存，现在的版本无法读取。请重新开始；已提交的内容不受影响。',
}

function liveOf(parts: Pick<Live, 'order' | 'lab' | 'engine' | 'sandbox' | 'listener' | 'kept'>): Live {
  return { ...parts, observer: null, changes: null, sessions: new Map(), skipping: null, attended: null }
}

function specOf({ lease }: Order, lab: Lab | null, { nodes = freeNodes, shape }: Bench): SandboxSpec {
  return {
    id: lease,
    nodes,
    ...(shape ? { shape } : {}),
    ...(lab?.manifests ? { manifests: lab.manifests } : {}),
    ...(lab?.homeFiles ? { homeFiles: lab.homeFiles } : {}),
  }
}

function whetherSkipped({ sandbox, lab }: Live): ClusterTime['skip'] {
  if (!sandbox.advance) return 'no-clock'
  return lab?.definition.skipAhead === false ? 'forbidden' : 'yes'
}

function timeIn(found: Live, now: number): ClusterTime {
  return { now, ahead: now - Date.now(), skip: whetherSkipped(found), skipping: found.skipping }
}

/** Says a line in every terminal that is open. */
async function announce(sessions: Live['sessions'], line: Text): Promise<void> {
  // one that could not be opened has been told of
  await Promise.allSettled([...sessions.values()].map(async (session) => (await session).announce(line)))
}
