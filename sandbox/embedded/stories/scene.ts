import { parseAllDocuments } from 'yaml'
import type { ApiResponse } from '../../engine.ts'
import type { LogOptions } from '../machinery/node-api.ts'
import type { KubeObject } from '../machinery/object.ts'
import { type Kind, kinds, type Story, type StoryCluster } from './story.ts'
import { type Recorded, Tracks } from './tracks.ts'

/** How often a scene looks whether what it waits for has come, ms of cluster time. */
const step = 250

/** How long what was under way at the end of a story may still be followed, ms. */
const aftermath = 4000

class StoryError extends Error {}

/** Plays the story in a namespace of its own and resolves with what was seen; the namespace is gone or going then. */
export async function playStory(story: Story, cluster: StoryCluster): Promise<Recorded> {
  const namespace = `story-${story.name}`
  const ended = new AbortController()
  const scene = new Scene(cluster, namespace, new Tracks(story.loose))
  await scene.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  try {
    await scene.readyToUse()
    const watches: Promise<void>[] = []
    for (const kind of ['Event' as const, ...story.follows]) watches.push((await scene.follow(kind, ended.signal)).ended)
    await story.play(scene)
    await scene.pass(aftermath)
    ended.abort()
    await Promise.all(watches)
    return scene.tracks.recorded()
  } finally {
    ended.abort()
    await scene.leave()
  }
}

/** What a story can do in its namespace, and what it can see there. */
export class Scene {
  readonly namespace: string
  readonly tracks: Tracks
  private readonly cluster: StoryCluster
  private readonly seen = new Map<string, KubeObject>()
  private readonly leftovers: { kind: Kind; name: string }[] = []

  constructor(cluster: StoryCluster, namespace: string, tracks: Tracks) {
    this.cluster = cluster
    this.namespace = namespace
    this.tracks = tracks
  }

  /** Creates the objects of a YAML text with several documents. */
  async apply(yaml: string): Promise<void> {
    for (const document of parseAllDocuments(yaml)) {
      const object = document.toJS() as KubeObject | null
      if (object) await this.create(object)
    }
  }

  async create(object: KubeObject): Promise<void> {
    const { kind, apiVersion, metadata } = object
    if (kind === 'Namespace') return void (await this.must('POST', '/api/v1/namespaces', object))
    const known = kinds[kind as Kind]
    if (!known) throw new StoryError(`stories know no ${kind} of ${apiVersion}`)
    if (!known.namespaced) this.leftovers.push({ kind: kind as Kind, name: metadata.name ?? '' })
    await this.must('POST', this.path(kind as Kind), object)
  }

  /** A merge patch; a strategic one where `strategic`. */
  async patch(
    kind: Kind,
    name: string,
    body: unknown,
    { subresource, strategic = false }: { subresource?: string; strategic?: boolean } = {},
  ): Promise<void> {
    const contentType = strategic ? 'application/strategic-merge-patch+json' : 'application/merge-patch+json'
    const changed = (await this.must('PATCH', this.path(kind, name, subresource), body, contentType)).body as KubeObject
    // What comes after the change in the story must not be taken in by what was seen before it.
    if (this.seen.has(`${kind}/${name}`)) {
      const version = Number(changed.metadata.resourceVersion)
      await this.until('the change is seen', () => Number(this.one(kind, name)?.metadata.resourceVersion ?? version) >= version)
    }
  }

  async scale(kind: 'Deployment' | 'ReplicaSet' | 'StatefulSet' | 'ReplicationController', name: string, replicas: number): Promise<void> {
    await this.patch(kind, name, { spec: { replicas } }, { subresource: 'scale' })
  }

  async remove(kind: Kind, name: string, options: { gracePeriodSeconds?: number; propagationPolicy?: string } = {}): Promise<void> {
    await this.must('DELETE', this.path(kind, name), { kind: 'DeleteOptions', apiVersion: 'v1', ...options })
  }

  /** Asks for an eviction and notes the answer. */
  async evict(pod: string): Promise<number> {
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: this.namespace } }
    const answer = await this.cluster.request({ method: 'POST', path: this.path('Pod', pod, 'eviction'), body })
    const status = answer.body as { message?: string; details?: { causes?: { message?: string }[] } }
    const causes = (status.details?.causes ?? []).map(({ message }) => message)
    this.note(`eviction of ${pod}: ${[answer.status, status.message, ...causes].filter(Boolean).join(' | ')}`)
    return answer.status
  }

  /** Asks for something that may be refused, and notes the answer. */
  async attempt(what: string, object: KubeObject): Promise<void> {
    const answer = await this.cluster.request({ method: 'POST', path: this.path(object.kind as Kind), body: object })
    this.note(`${what}: ${[answer.status, (answer.body as { message?: string }).message].filter(Boolean).join(' | ')}`)
  }

  /** Asks for a change that may be refused, and notes the answer. */
  async attemptPatch(what: string, kind: Kind, name: string, body: unknown, subresource?: string): Promise<void> {
    const contentType = 'application/strategic-merge-patch+json'
    const answer = await this.cluster.request({ method: 'PATCH', path: this.path(kind, name, subresource), body, contentType })
    this.note(`${what}: ${[answer.status, (answer.body as { message?: string }).message].filter(Boolean).join(' | ')}`)
  }

  /** The story's own namespace as it is now; undefined when it is gone. */
  async ownNamespace<T extends KubeObject>(): Promise<T | undefined> {
    const answer = await this.cluster.request({ method: 'GET', path: `/api/v1/namespaces/${this.namespace}` })
    return answer.status === 404 ? undefined : (answer.body as T)
  }

  /** Sets labels of the story's own namespace. */
  async labelNamespace(labels: Record<string, string>): Promise<void> {
    await this.must('PATCH', `/api/v1/namespaces/${this.namespace}`, { metadata: { labels } }, 'application/merge-patch+json')
  }

  /** Begins the end of the story's own namespace. */
  async removeNamespace(): Promise<void> {
    await this.must('DELETE', `/api/v1/namespaces/${this.namespace}`)
  }

  /** What a container has written so far, as the options ask for it. */
  logs(pod: string, options?: LogOptions): Promise<string> {
    return this.cluster.logs(this.namespace, pod, options)
  }

  /** The same and what comes: `text` grows until the log ends or the signal aborts, and `ended` settles then. */
  followLogs(pod: string, options: LogOptions, signal: AbortSignal): { text: string; over: boolean; ended: Promise<void> } {
    const followed = { text: '', over: false, ended: Promise.resolve() }
    const hear = (text: string) => {
      followed.text += text
    }
    followed.ended = this.cluster.followLogs(this.namespace, pod, options, hear, signal).finally(() => {
      followed.over = true
    })
    return followed
  }

  /** What a line of root's shell prints on a node, errors too. */
  onNode(node: string, line: string): Promise<string> {
    return this.cluster.onNode(node, line)
  }

  /** Makes a fact part of what is recorded. */
  note(text: string): void {
    this.tracks.note(text)
  }

  /** Objects of a followed kind as they are now, by name. */
  all<T extends KubeObject>(kind: Kind): T[] {
    const objects = [...this.seen].filter(([key]) => key.startsWith(`${kind}/`)).map(([, object]) => object as T)
    return objects.sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
  }

  one<T extends KubeObject>(kind: Kind, name: string): T | undefined {
    return this.seen.get(`${kind}/${name}`) as T | undefined
  }

  /** Lets time pass until the condition holds. Throws StoryError when it does not within these seconds. */
  async until(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
    for (let left = seconds * 1000; !(await holds()); left -= step) {
      if (left <= 0) throw new StoryError(`${this.namespace}: waited ${seconds} s in vain until ${what}`)
      await this.cluster.wait(step)
    }
  }

  /** Lets seconds of cluster time pass. */
  async wait(seconds: number): Promise<void> {
    await this.cluster.wait(seconds * 1000)
  }

  async pass(ms: number): Promise<void> {
    await this.cluster.wait(ms)
  }

  /** Nodes by name, read anew. */
  async nodes(): Promise<KubeObject[]> {
    return ((await this.must('GET', '/api/v1/nodes')).body as { items: KubeObject[] }).items
  }

  /** Those nodes that are no control plane. */
  async workers(): Promise<KubeObject[]> {
    const label = 'node-role.kubernetes.io/control-plane'
    return (await this.nodes()).filter(({ metadata }) => metadata.labels?.[label] === undefined)
  }

  /** Follows all objects of a kind, those in the namespace where it has one. */
  follow(kind: Kind, signal: AbortSignal): Promise<{ ended: Promise<void> }> {
    const { group, version, resource, namespaced } = kinds[kind]
    const selector = { group, version, resource, ...(namespaced && { namespace: this.namespace }) }
    return this.cluster.watch(
      selector,
      ({ type, object }) => {
        const known = { ...(object as unknown as KubeObject), kind }
        const key = `${kind}/${known.metadata.name}`
        if (type === 'DELETED') this.seen.delete(key)
        else this.seen.set(key, known)
        this.tracks.see(type, known)
      },
      signal,
    )
  }

  async readyToUse(): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/serviceaccounts/default`
    await this.until('there is a default service account', async () => {
      return (await this.cluster.request({ method: 'GET', path })).status === 200
    })
    await this.pass(1000)
  }

  /** Removes what the story has made. */
  async leave(): Promise<void> {
    if (await this.ownNamespace()) await this.removeNamespace()
    for (const { kind, name } of this.leftovers) await this.cluster.request({ method: 'DELETE', path: this.path(kind, name) })
  }

  private path(kind: Kind, name?: string, subresource?: string): string {
    const { group, version, resource, namespaced } = kinds[kind]
    const root = group ? `/apis/${group}/${version}` : `/api/${version}`
    const place = namespaced ? `/namespaces/${this.namespace}` : ''
    return [`${root}${place}/${resource}`, name, subresource].filter(Boolean).join('/')
  }

  private async must(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<ApiResponse> {
    const answer = await this.cluster.request({ method, path, ...(body !== undefined && { body }), ...(contentType && { contentType }) })
    if (answer.status >= 300) throw new StoryError(`${method} ${path}: ${answer.status} ${(answer.body as { message?: string }).message}`)
    return answer
  }
}
