import { appendFile } from 'node:fs/promises'
import { withDigests } from '../check/observer.ts'
import type { GroupVersionResource, Sandbox, WatchEvent } from '../engine.ts'
import { hostsResource } from '../hosts/sandbox.ts'
import { readJsonLines } from '../json-lines.ts'

/** The kinds whose every change is kept, so that somebody can see later how the cluster came to be as it was. */
const kept: readonly GroupVersionResource[] = [
  ...['nodes', 'namespaces', 'pods', 'services', 'configmaps', 'secrets', 'serviceaccounts', 'events'].map((resource) => ({
    group: '',
    version: 'v1',
    resource,
  })),
  ...['deployments', 'replicasets', 'statefulsets', 'daemonsets'].map((resource) => ({ group: 'apps', version: 'v1', resource })),
  { group: 'batch', version: 'v1', resource: 'jobs' },
  { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
  ...['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'].map((resource) => ({
    group: 'rbac.authorization.k8s.io',
    version: 'v1',
    resource,
  })),
]

/** What comes with every cluster and tells nothing of the learner's work. */
const systemNamespaces = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage'])
const limitBytes = 24 * 2 ** 20
const flushAfterMs = 200

/** Somebody skipped time: `time` is cluster time before, `to` after it; `began` and `ended` real time. All ms since the epoch. */
export interface TimeSkip {
  type: 'SKIPPED'
  time: number
  to: number
  began: number
  ended: number
}

export type LoggedChange = WatchEvent | TimeSkip

/** Writes the changes of a sandbox's objects to a file (JSON lines, oldest first), 24 MiB at most, and skips of time between them. */
export class ChangeLog implements AsyncDisposable {
  private readonly file: string
  private readonly onFault: (error: unknown) => void
  private readonly abort = new AbortController()
  /** uid -> resourceVersion of what the file has already. */
  private readonly known = new Map<string, string>()
  private pending = ''
  private bytes = 0
  private timer: NodeJS.Timeout | undefined
  private writing: Promise<void> = Promise.resolve()

  private constructor(file: string, onFault: (error: unknown) => void) {
    this.file = file
    this.onFault = onFault
  }

  /** Resolves when every kind is watched; goes on where the file ends when it is there already. */
  static async start(sandbox: Sandbox, file: string, onFault: (error: unknown) => void): Promise<ChangeLog> {
    const log = new ChangeLog(file, onFault)
    const { values, bytes, before } = await readJsonLines<LoggedChange>(file)
    log.bytes = bytes
    log.pending = before
    for (const change of values) {
      if (change.type === 'SKIPPED') continue
      const { type, object } = change
      if (type === 'DELETED') log.known.delete(object.metadata.uid)
      else log.known.set(object.metadata.uid, object.metadata.resourceVersion)
    }
    const resources = sandbox.engine === 'hosts' ? [hostsResource] : kept
    for (const resource of resources) await sandbox.watch(resource, (event) => log.receive(event), log.abort.signal)
    return log
  }

  /** Adds a line. A full file takes only skips of time, without which the times of other evidence cannot be told. */
  note(change: LoggedChange): void {
    if (this.bytes > limitBytes && change.type !== 'SKIPPED') return
    const line = `${JSON.stringify(change)}\n`
    this.bytes += Buffer.byteLength(line)
    this.pending += line
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.flush()
    }, flushAfterMs)
  }

  /** Resolves when everything so far is in the file. */
  async flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    const text = this.pending
    this.pending = ''
    if (text) this.writing = this.writing.then(() => appendFile(this.file, text, { mode: 0o600 })).catch(this.onFault)
    await this.writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort.abort()
    await this.flush()
  }

  private receive({ type, object, time }: WatchEvent): void {
    const { uid, namespace, resourceVersion } = object.metadata
    const labels = object.metadata['labels'] as Record<string, string> | undefined
    if (systemNamespaces.has(namespace ?? '') || labels?.['kubernetes.io/bootstrapping']) return
    const before = this.known.get(uid)
    if (type === 'DELETED') this.known.delete(uid)
    else if (before === resourceVersion) return
    else this.known.set(uid, resourceVersion)
    const { managedFields: _managed, ...metadata } = object.metadata
    const shown = { ...(object.kind === 'Secret' ? withDigests(object) : object), metadata }
    this.note({ time, type: type === 'ADDED' && before ? 'MODIFIED' : type, object: shown })
  }
}

/** Every change of a log, oldest first; a line torn by a crash is left out. */
export async function readChanges(file: string): Promise<LoggedChange[]> {
  return (await readJsonLines<LoggedChange>(file)).values
}
