import { createHash } from 'node:crypto'
import type { ResourceInfo } from '../registry/index.ts'
import type { APIGroup, APIResource, APIResourceList } from '../schema/types/meta.v1.ts'
import { apiVersionOf, type ServedResources } from './resources.ts'

/** The newest first, as `kube-aggregator` sorts the versions of a group: v2, v1, v1beta1, v1alpha1. */
export function compareVersions(a: string, b: string): number {
  const parse = (version: string) => /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  const left = parse(a)
  const right = parse(b)
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : 1
  const rank = (match: RegExpExecArray) => (match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0)
  return rank(right) - rank(left) || Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0)
}

/** Discovery documents of what a cluster serves; made anew only when that changes. */
export class Discovery {
  private readonly resources: ServedResources
  private readonly made = new Map<string, unknown>()
  private generation = -1

  constructor(resources: ServedResources) {
    this.resources = resources
  }

  /** /apis */
  groupList() {
    return this.once('groups', () => ({
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: this.groupNames().map((name) => this.groupOf(name)),
    }))
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

  /** The aggregated form of /api (only the core group) or /apis (all others), for apidiscovery.k8s.io at this version. */
  aggregated(core: boolean, version: string): { document: unknown; etag: string } {
    return this.once(`aggregated/${core}/${version}`, () => {
      const groups = core ? [''] : this.groupNames()
      const document = {
        kind: 'APIGroupDiscoveryList',
        apiVersion: `apidiscovery.k8s.io/${version}`,
        metadata: {},
        items: groups.map((name) => this.aggregatedGroup(name)),
      }
      return { document, etag: createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase() }
    })
  }

  /** Groups other than core, in their order. */
  groupNames(): string[] {
    return this.once('names', () => [...new Set(this.resources.all().map((info) => info.group))].filter((name) => name !== ''))
  }

  versionsOf(group: string): string[] {
    const versions = this.resources.all().flatMap((info) => (info.group === group ? [info.version] : []))
    return [...new Set(versions)].sort(compareVersions)
  }

  private aggregatedGroup(name: string) {
    return {
      metadata: name ? { name } : {},
      versions: this.versionsOf(name).map((version) => ({
        version,
        resources: this.resources
          .all()
          .filter((info) => info.group === name && info.version === version)
          .sort(byResource)
          .map(aggregatedResource),
        freshness: 'Current',
      })),
    }
  }

  private groupOf(name: string): APIGroup {
    const versions = this.versionsOf(name).map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions, preferredVersion: versions[0] as { groupVersion: string; version: string } }
  }

  private once<T>(key: string, make: () => T): T {
    if (this.generation !== this.resources.generation) {
      this.generation = this.resources.generation
      this.made.clear()
    }
    if (!this.made.has(key)) this.made.set(key, make())
    return this.made.get(key) as T
  }
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
  const responseKind = (of: { kind: string; group?: string; version?: string }) => ({
    group: of.group ?? '',
    version: of.version ?? '',
    kind: of.kind,
  })
  return {
    resource,
    responseKind: info.decode ? { group: info.group, version: info.version, kind } : responseKind({ kind }),
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

function storageHash({ storage, kind }: ResourceInfo): string {
  return createHash('sha256').update(`${storage.group}/${storage.version}/${kind}`).digest().subarray(0, 8).toString('base64')
}
