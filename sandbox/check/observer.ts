import { createHash } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import type { Sandbox, WatchedObject } from '../engine.ts'
import { readJsonLines } from '../json-lines.ts'
import { provoke } from './ground.ts'
import { Journal } from './journal.ts'
import { type JudgeFault, judge } from './judge.ts'
import type { Evidence, LabDefinition, ObjectChange, Provocation, ProvocationResult, Query, Text, Verdict } from './kit.ts'
import { lookAgain, lookAtNetwork, watchNetwork } from './network-watch.ts'

export interface ObserverOptions {
  sandbox: Sandbox
  lab: LabDefinition
  /** Cluster ms at which the lab started or was last reset. */
  startedAt: number
  /** Where the changes of `history` queries are kept (JSON lines), so that a restart loses none. */
  changesFile: string
  onVerdict: (verdict: Verdict) => void
  /** A provocation on the sandbox itself begins (what it does) or is over and undone (null); never for one on a copy. */
  onTrial?: (what: Text | null) => void
  onFault: (fault: JudgeFault | { where: string; error: unknown }) => void
}

/** Changes settle for so long before they are judged, and are never kept waiting longer than the second figure. ms. */
const settle = 20
const atMost = 120
/** A fork costs more than a look: provocations wait until nothing changed for so long. ms. */
const calm = 300
const changesKept = 5_000
/** After a trial on the sandbox itself, until what was put back is seen by the watches. ms. */
const undoneWithin = 15_000
const undoneEvery = 100

/**
 * Watches a sandbox for one lab and judges again whenever something that the lab looks at changes: collect (watched
 * objects, commands that follow them, provocations that follow them), then judge. Tells each verdict that differs from the
 * one before.
 */
export class Observer implements AsyncDisposable {
  private readonly options: ObserverOptions
  private readonly abort = new AbortController()
  private readonly objects = new Map<string, Map<string, WatchedObject>>()
  private readonly changes = new Map<string, ObjectChange[]>()
  private readonly commands: Evidence['commands'] = {}
  private readonly network: Evidence['network'] = {}
  private readonly access: Record<string, readonly boolean[]> = {}
  private readonly provoked: Record<string, ProvocationResult | undefined> = {}
  private readonly stale = new Set<string>()
  private readonly staleProvocations = new Set<string>()
  private readonly bases = new Map<string, string>()
  private pendingChanges = ''
  private writing = Promise.resolve()
  private timer: NodeJS.Timeout | undefined
  private firstChangeAt = 0
  private calmTimer: NodeJS.Timeout | undefined
  private waitTimer: NodeJS.Timeout | undefined
  private running: Promise<unknown> = Promise.resolve()
  private provoking: Promise<unknown> = Promise.resolve()
  private trying = false
  private last = ''
  /** Every verdict told so far, oldest first. */
  readonly verdicts: Verdict[] = []

  private constructor(options: ObserverOptions) {
    this.options = options
  }

  /** Resolves once everything has been looked at and judged for the first time. */
  static async start(options: ObserverOptions): Promise<Observer> {
    const observer = new Observer(options)
    const { collect, provoke: provocations = {} } = options.lab
    await Journal.undoLeft((request) => options.sandbox.api(request), observer.trialFile).catch((error) =>
      options.onFault({ where: 'undoing a trial that was cut short', error }),
    )
    const { values, before } = await readJsonLines<[string, ObjectChange]>(options.changesFile)
    for (const [name, change] of values) observer.changes.set(name, [...(observer.changes.get(name) ?? []), change])
    observer.pendingChanges = before
    for (const [name, query] of Object.entries(collect))
      if (query.kind === 'objects') await observer.watch(name, query)
      else if (query.kind === 'network') await observer.watchNetwork(name, query.node)
      else observer.stale.add(name)
    for (const name of Object.keys(provocations)) observer.staleProvocations.add(name)
    await observer.look()
    const repeated = Object.entries(collect).flatMap(([name, query]) => (query.kind === 'command' && query.repeat ? [name] : []))
    if (repeated.length > 0) lookAgain(options.sandbox, () => observer.lookAt(repeated), observer.abort.signal)
    observer.scheduleCalm()
    return observer
  }

  private lookAt(names: readonly string[]): Promise<void> {
    for (const name of names) this.stale.add(name)
    return this.look()
  }

  /** Judges once more though nothing has changed: time has passed. */
  again(): Promise<void> {
    return this.look()
  }

  /** Runs every provocation anew, on the sandbox itself where it cannot be copied, and judges. Never rejects. */
  async tryNow(): Promise<void> {
    for (const name of Object.keys(this.options.lab.provoke ?? {})) this.staleProvocations.add(name)
    await this.provokeStale(true)
    await this.look()
  }

  /**
   * Looks at everything anew, provocations too, and resolves with the evidence and its verdict. Objects and commands are as they
   * were before the provocations: on a sandbox that cannot be copied, what they did is undone but has left traces.
   */
  async conclude(): Promise<{ evidence: Evidence; verdict: Verdict }> {
    clearTimeout(this.timer)
    clearTimeout(this.calmTimer)
    this.timer = undefined
    for (const [name, query] of Object.entries(this.options.lab.collect)) if (query.kind !== 'objects') this.stale.add(name)
    for (const name of Object.keys(this.options.lab.provoke ?? {})) this.staleProvocations.add(name)
    await this.look()
    const before = await this.evidence()
    await this.provokeStale(true)
    const evidence = this.options.sandbox.fork ? await this.evidence() : { ...before, provoked: { ...this.provoked } }
    return { evidence, verdict: this.tell(evidence) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort.abort()
    clearTimeout(this.timer)
    clearTimeout(this.calmTimer)
    clearTimeout(this.waitTimer)
    await Promise.allSettled([this.running, this.provoking, this.writing])
  }

  private get trialFile(): string {
    return `${this.options.changesFile}.trial`
  }

  private async watch(name: string, query: Extract<Query, { kind: 'objects' }>): Promise<void> {
    const kept = new Map<string, WatchedObject>()
    this.objects.set(name, kept)
    const { sandbox } = this.options
    const hidden = query.selector.resource === 'secrets' && !query.values
    await sandbox.watch(
      query.selector,
      ({ type, object: seen, time }) => {
        const object = hidden ? withDigests(seen) : seen
        const before = kept.get(object.metadata.uid)
        if (type !== 'DELETED' && before?.metadata.resourceVersion === object.metadata.resourceVersion) return
        if (type === 'DELETED') kept.delete(object.metadata.uid)
        else kept.set(object.metadata.uid, object)
        if (query.history) this.keep(name, { time, type: type === 'ADDED' && before ? 'MODIFIED' : type, object })
        this.changed(name)
      },
      this.abort.signal,
    )
  }

  private watchNetwork(name: string, node: string): Promise<void> {
    return watchNetwork(
      this.options.sandbox,
      node,
      (state) => {
        this.network[name] = state ?? undefined
        this.changed(name)
      },
      this.abort.signal,
    )
  }

  private keep(name: string, change: ObjectChange): void {
    const list = this.changes.get(name) ?? []
    this.changes.set(name, list)
    const known = list.some(
      (one) =>
        one.object.metadata.uid === change.object.metadata.uid &&
        one.object.metadata.resourceVersion === change.object.metadata.resourceVersion &&
        one.type === change.type,
    )
    if (known) return // told again after a restart
    list.push(change)
    if (list.length > changesKept) list.shift()
    this.pendingChanges += `${JSON.stringify([name, change])}\n`
    this.writing = this.writing.then(async () => {
      const text = this.pendingChanges
      this.pendingChanges = ''
      if (text) await appendFile(this.options.changesFile, text).catch((error) => this.options.onFault({ where: 'keeping changes', error }))
    })
  }

  private changed(source: string): void {
    if (this.abort.signal.aborted) return
    const { collect, provoke: provocations = {} } = this.options.lab
    for (const [name, query] of Object.entries(collect)) if ('after' in query && query.after.includes(source)) this.stale.add(name)
    for (const [name, provocation] of Object.entries(provocations)) if (provocation.after.includes(source)) this.staleProvocations.add(name)
    this.scheduleLook()
    if (this.staleProvocations.size > 0) this.scheduleCalm()
  }

  private scheduleLook(): void {
    const now = performance.now()
    if (!this.timer) this.firstChangeAt = now
    clearTimeout(this.timer)
    const wait = Math.max(0, Math.min(settle, this.firstChangeAt + atMost - now))
    this.timer = setTimeout(() => {
      this.timer = undefined
      void this.look()
    }, wait)
  }

  private scheduleCalm(): void {
    if (this.abort.signal.aborted || !this.options.sandbox.fork) return
    clearTimeout(this.calmTimer)
    this.calmTimer = setTimeout(() => {
      void this.provokeStale().then(() => this.look())
    }, calm)
  }

  /** Runs what is stale, judges, tells. One at a time; never rejects. */
  private look(): Promise<void> {
    const next = this.running.then(async () => {
      if (this.trying) return // looked at again when the trial is over
      try {
        const stale = [...this.stale]
        this.stale.clear()
        await Promise.all(stale.map((name) => this.run(name)))
        this.tell(await this.evidence())
      } catch (error) {
        if (!this.abort.signal.aborted) this.options.onFault({ where: 'looking', error })
      }
    })
    this.running = next
    return next
  }

  /**
   * Tries what is stale (`anew`: although its basis is the same), one at a time; what is looked at meanwhile does not wait for
   * it, for it may take seconds. Never rejects.
   */
  private async provokeStale(anew = false): Promise<void> {
    const next = this.provoking.then(async () => {
      const evidence = await this.evidence()
      for (const [name, provocation] of Object.entries(this.options.lab.provoke ?? {})) {
        if (!this.staleProvocations.delete(name) || this.abort.signal.aborted) continue
        if (!holds(() => provocation.when(evidence))) {
          this.provoked[name] = undefined
          this.bases.delete(name)
          continue
        }
        const basis = basisOf(provocation, evidence)
        if (!anew && basis !== undefined && this.bases.get(name) === basis && this.provoked[name]?.ok) continue
        const result = await (this.options.sandbox.fork ? provoke(this.options.sandbox, provocation) : this.tryHere(provocation, basis))
        this.provoked[name] = result
        if (basis !== undefined) this.bases.set(name, basis)
        if (!result.ok) this.options.onFault({ where: `provoking ${name}`, error: new Error(result.fault) })
      }
    })
    this.provoking = next.catch((error) => this.options.onFault({ where: 'provoking', error }))
    await this.provoking
  }

  /** On the learner's own sandbox: announced, and not judged meanwhile, for what is seen then is not their work. */
  private async tryHere(provocation: Provocation, basis: string | undefined): Promise<ProvocationResult> {
    const { sandbox, onTrial } = this.options
    this.trying = true
    onTrial?.(provocation.what)
    try {
      const result = await provoke(sandbox, provocation, this.trialFile)
      for (let waited = 0; basis !== undefined && waited < undoneWithin; waited += undoneEvery) {
        if (basisOf(provocation, await this.evidence()) === basis) break
        await new Promise((resolve) => setTimeout(resolve, undoneEvery))
      }
      return result
    } finally {
      this.trying = false
      onTrial?.(null)
    }
  }

  private async run(name: string): Promise<void> {
    const query = this.options.lab.collect[name]
    const { sandbox } = this.options
    if (query?.kind === 'command') {
      const { argv, pod, node } = query
      const missing = (error: unknown) => ({ exitCode: 127, stdout: '', stderr: String(error) })
      this.commands[name] = await (pod
        ? sandbox.execInPod(pod.namespace, pod.name, argv, pod.container ? { container: pod.container } : {})
        : sandbox.exec(argv, node ? { node } : {})
      ).catch(missing)
    } else if (query?.kind === 'network') {
      this.network[name] = await lookAtNetwork(sandbox, query.node).catch(() => undefined) // judges see that it did not answer
    } else if (query?.kind === 'access') {
      const { user, groups = [], reviews } = query
      this.access[name] = await Promise.all(
        reviews.map(async ({ namespace, verb, group = '', resource, subresource, name: object }) => {
          const answer = await sandbox.api({
            method: 'POST',
            path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SubjectAccessReview',
              spec: {
                user,
                groups: [...groups, 'system:authenticated'],
                resourceAttributes: { namespace, verb, group, resource, subresource, name: object },
              },
            },
          })
          return (answer.body as { status?: { allowed?: boolean } }).status?.allowed === true
        }),
      )
    }
  }

  private async evidence(): Promise<Evidence> {
    const objects = Object.fromEntries([...this.objects].map(([name, kept]) => [name, [...kept.values()].sort(byName)]))
    const changes = Object.fromEntries([...this.changes].map(([name, list]) => [name, [...list]]))
    const time = await this.options.sandbox.now()
    const { startedAt, lab } = this.options
    const evidence: Evidence = {
      time,
      startedAt,
      objects,
      changes,
      commands: { ...this.commands },
      network: { ...this.network },
      access: { ...this.access },
      provoked: { ...this.provoked },
      triedOn: this.options.sandbox.fork ? 'copy' : 'cluster',
    }
    // what was seen before a change that it depends on says nothing about now
    for (const [name, provocation] of Object.entries(lab.provoke ?? {}))
      if (provocation.basis && basisOf(provocation, evidence) !== this.bases.get(name)) evidence.provoked[name] = undefined
    return evidence
  }

  private tell(evidence: Evidence): Verdict {
    const { lab, onFault, onVerdict } = this.options
    const { verdict, until } = judge(lab, evidence, onFault)
    const text = JSON.stringify(verdict.tasks)
    if (text !== this.last) {
      this.last = text
      this.verdicts.push(verdict)
      onVerdict(verdict)
    }
    clearTimeout(this.waitTimer)
    if (until !== null && !this.abort.signal.aborted)
      this.waitTimer = setTimeout(() => void this.look(), Math.max(50, Math.min(until - evidence.time, 2 ** 30)))
    return verdict
  }
}

function basisOf(provocation: Provocation, evidence: Evidence): string | undefined {
  try {
    return provocation.basis && (JSON.stringify(provocation.basis(evidence)) ?? 'nothing')
  } catch {
    return 'nothing' // `basis` reads evidence that is not there yet
  }
}

function holds(condition: () => boolean): boolean {
  try {
    return condition()
  } catch {
    return false // `when` reads evidence that is not there yet
  }
}

function byName(a: WatchedObject, b: WatchedObject): number {
  const left = `${a.metadata.namespace ?? ''}/${a.metadata.name}`
  const right = `${b.metadata.namespace ?? ''}/${b.metadata.name}`
  return left < right ? -1 : left > right ? 1 : 0
}

/** A Secret whose values are replaced by their digests, so that evidence can be kept without them. */
export function withDigests(secret: WatchedObject): WatchedObject {
  const data = secret['data'] as Record<string, string> | undefined
  if (!data) return secret
  const digest = (value: string) => `sha256:${createHash('sha256').update(value).digest('hex')}`
  const annotations = secret.metadata['annotations'] as Record<string, string> | undefined
  const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...others } = annotations ?? {}
  return {
    ...secret,
    metadata: { ...secret.metadata, ...(annotations ? { annotations: others } : {}) },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, digest(value)])),
  }
}
