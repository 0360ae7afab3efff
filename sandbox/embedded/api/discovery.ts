import { createHash } from 'node:crypto'
import type { Aggregator, RemoteVersion } from '../aggregation/aggregator.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { APIGroup, APIResource, APIResourceList } from '../schema/types/meta.v1.ts'
import { apiVersionOf, type ServedResources } from './resources.ts'

/** The newest first, as `kube-aggregator` sorts the versions of a group: v2, v1, v1beta1, v1alpha1. */
function compareVersions(a: string, b: string): number {
  const parse = (version: string) => /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  const left = parse(a)
  const right = parse(b)
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : 1
  const rank = (match: RegExpExecArray) => (match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0)
  return rank(right) - rank(left) || Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0)
}

/** Discovery documents of what a cluster serves; made anew only when that changes. */
export class Discovery {
  private readonly resources: Pick<ServedResources, 'all' | 'generation'>
  private readonly remote: Pick<Aggregator, 'remotes' | 'generation'>
  private readonly made = new Map<string, unknown>()
  private generation = ''

  /** `remote`: what other servers serve, which is told of here. */
  constructor(resources: Pick<ServedResources, 'all' | 'generation'>, remote: Pick<Aggregator, 'remotes' | 'generation'> = noRemotes) {
    this.resources = resources
    this.remote = remote
  }

  /** /apis */
  groupList() {
    return this.once('groups', () => ({
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: this.groupNames().map((name) => this.groupOf(name)),
    }))
  }

  /** Whether the server itself brings the group, and neither a CustomResourceDefinition nor an APIService. */
  isBuiltIn(group: string): boolean {
    return this.resources.all().some((info) => info.group === group && !info.definition)
  }

  /** /apis/GROUP; undefined for an unknown one. */
  group(name: string): APIGroup | undefined {
    return this.groupNames().includes(name) ? { kind: 'APIGroup', apiVersion: 'v1', ...this.groupOf(name) } : undefined
  }

  /** /api/VERSION and /apis/GROUP/VERSION; undefined for an unknown one. */
  resourceList(group: string, version: string): APIResourceList | undefined {
    const infos = this.resources.all().filter((info) => info.group === group && info.version === version)
    if (infos.length === 0) return undefined
    return this.once(`${group}/${version}`, () => ({
      kind: 'APIResourceList',
      ...(group ? { apiVersion: 'v1' } : {}),
      groupVersion: apiVersionOf({ group, version }),
      resources: infos.sort(byResource).flatMap((info) => resourcesOf(info)),
    }))
  }

  /** The aggregated form of /api (only the core group) or /apis (all others). */
  aggregated(core: boolean): { document: unknown; etag: string } {
    return this.once(`aggregated/${core}`, () => {
      const groups = core ? [''] : this.groupNames()
      const document = {
        kind: 'APIGroupDiscoveryList',
        apiVersion: 'apidiscovery.k8s.io/v2',
        metadata: {},
        items: groups.map((name) => this.aggregatedGroup(name)),
      }
      return { document, etag: createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase() }
    })
  }

  /** Groups other than core, in their order: other servers' at the place that their priority gives them. */
  groupNames(): string[] {
    return this.once('names', () => {
      const priorities = new Map<string, number>()
      for (const { group, definition } of this.resources.all()) priorities.set(group, definition ? customPriority : builtInPriority)
      for (const { group, groupPriority } of this.remotes()) priorities.set(group, Math.max(groupPriority, priorities.get(group) ?? 0))
      // kube-aggregator names its own group before it sorts the others.
      priorities.set(aggregatorGroup, Number.POSITIVE_INFINITY)
      return [...priorities]
        .filter(([name]) => name !== '')
        .sort(([a, left], [b, right]) => right - left || (left === customPriority ? (a < b ? -1 : 1) : 0))
        .map(([name]) => name)
    })
  }

  versionsOf(group: string): string[] {
    const versions = this.resources.all().flatMap((info) => (info.group === group ? [info.version] : []))
    const remote = this.remotes().filter((one) => one.group === group)
    const priority = (version: string) => remote.find((one) => one.version === version)?.versionPriority ?? customVersionPriority
    return [...new Set([...versions, ...remote.map(({ version }) => version)])].sort(
      (a, b) => (remote.length > 0 ? priority(b) - priority(a) : 0) || compareVersions(a, b),
    )
  }

  private remotes(): RemoteVersion[] {
    return this.once('remotes', () => this.remote.remotes())
  }

  private aggregatedGroup(name: string) {
    return {
      metadata: name ? { name } : {},
      versions: this.versionsOf(name).map(
        (version) =>
          this.remoteVersion(name, version) ?? {
            version,
            resources: this.resources
              .all()
              .filter((info) => info.group === name && info.version === version)
              .sort(byResource)
              .map(aggregatedResource),
            freshness: 'Current',
          },
      ),
    }
  }

  private remoteVersion(group: string, version: string) {
    const remote = this.remotes().find((one) => one.group === group && one.version === version)
    if (!remote) return undefined
    return { version, ...(remote.list ? { resources: aggregatedList(remote) } : {}), freshness: remote.available ? 'Current' : 'Stale' }
  }

  private groupOf(name: string): APIGroup {
    const versions = this.versionsOf(name).map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions, preferredVersion: versions[0] as { groupVersion: string; version: string } }
  }

  private once<T>(key: string, make: () => T): T {
    const generation = `${this.resources.generation} ${this.remote.generation}`
    if (this.generation !== generation) {
      this.generation = generation
      this.made.clear()
    }
    if (!this.made.has(key)) this.made.set(key, make())
    return this.made.get(key) as T
  }
}

const noRemotes = { remotes: () => [], generation: 0 }
/** Of kube-aggregator's groups the least, and what a CustomResourceDefinition's gets. */
const builtInPriority = 16_000
const customPriority = 1000
const customVersionPriority = 100
const aggregatorGroup = 'apiregistration.k8s.io'

/** A list of the older form in the aggregated one, as kube-aggregator makes it for servers that speak only that. */
function aggregatedList({ group, version, list }: RemoteVersion) {
  const resources = list?.resources ?? []
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((resource) => {
      const responseKind = (of: APIResource) => ({ group: of.group || group, version: of.version || version, kind: of.kind })
      const subresources = resources.filter(({ name }) => name.startsWith(`${resource.name}/`))
      return {
        resource: resource.name,
        responseKind: responseKind(resource),
        scope: resource.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: resource.singularName,
        verbs: [...resource.verbs],
        ...(resource.shortNames?.length ? { shortNames: [...resource.shortNames] } : {}),
        ...(resource.categories?.length ? { categories: [...resource.categories] } : {}),
        ...(subresources.length > 0
          ? {
              subresources: subresources.map((sub) => ({
                subresource: sub.name.slice(resource.name.length + 1),
                responseKind: responseKind(sub),
                verbs: [...sub.verbs],
              })),
            }
          : {}),
      }
    })
}

function byResource(a: ResourceInfo, b: ResourceInfo): number {
  return a.resource < b.resource ? -1 : 1
}

function resourcesOf(info: ResourceInfo): APIResource[] {
  const { resource, singular, namespaced, kind, verbs, shortNames, categories } = info
  const stored = verbs.includes('list') && !(resource === 'componentstatuses')
  return [
    {
      name: resource,
      singularName: singular,
      namespaced,
      kind,
      verbs: [...verbs],
      ...(shortNames.length ? { shortNames: [...shortNames] } : {}),
      ...(categories.length ? { categories: [...categories] } : {}),
      ...(stored ? { storageVersionHash: storageHash(info) } : {}),
    },
    ...info.subresources.map((sub) => ({
      name: `${resource}/${sub.name}`,
      singularName: '',
      namespaced,
      ...(sub.group ? { group: sub.group, version: sub.version as string } : {}),
      kind: sub.kind,
      verbs: [...sub.verbs],
    })),
  ]
}

function aggregatedResource(info: ResourceInfo) {
  const { resource, singular, namespaced, kind, verbs, shortNames, categories, subresources } = info
  // Only of custom resources the group and version are told where they are the resource's own.
  const own = info.definition ? { group: info.group, version: info.version } : { group: '', version: '' }
  const responseKind = (of: { kind: string; group?: string; version?: string }) => ({
    group: of.group ?? own.group,
    version: of.version ?? own.version,
    kind: of.kind,
  })
  return {
    resource,
    responseKind: responseKind({ kind }),
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: [...verbs],
    ...(shortNames.length ? { shortNames: [...shortNames] } : {}),
    ...(categories.length ? { categories: [...categories] } : {}),
    ...(subresources.length
      ? { subresources: subresources.map((sub) => ({ subresource: sub.name, responseKind: responseKind(sub), verbs: [...sub.verbs] })) }
      : {}),
  }
}

function storageHash({ storage, storageVersion = storage.version, kind }: ResourceInfo): string {
  return createHash('sha256').update(`${storage.group}/${storageVersion}/${kind}`).digest().subarray(0, 8).toString('base64')
}
