import { qualified } from '../machinery/errors.ts'
import { builtInResources, type ResourceInfo } from '../registry/index.ts'
import { metricsResources } from './metrics.ts'

/** Every kind that a cluster serves now: the built-in ones and those of its CustomResourceDefinitions. */
export class ServedResources {
  private readonly byPath = new Map<string, ResourceInfo>()
  private readonly byKind = new Map<string, ResourceInfo>()
  private readonly customs = new Map<string, readonly ResourceInfo[]>()
  private readonly listeners = new Set<() => void>()
  private changes = 0

  /** With the kinds that are there from the start: those of Kubernetes, or another server's. */
  constructor(own: readonly ResourceInfo[] = [...builtInResources, ...metricsResources]) {
    for (const info of own) this.add(info)
  }

  /** Grows with every change of the custom resources, for what is made from all of them (discovery, OpenAPI). */
  get generation(): number {
    return this.changes
  }

  find(group: string, version: string, resource: string): ResourceInfo | undefined {
    return this.byPath.get(`${group}/${version}/${resource}`)
  }

  findKind(group: string, version: string, kind: string): ResourceInfo | undefined {
    return this.byKind.get(`${group}/${version}/${kind}`)
  }

  /** Some version of a resource in a group. */
  findAny(group: string, resource: string): ResourceInfo | undefined {
    return this.all().find((info) => info.group === group && info.resource === resource)
  }

  all(): ResourceInfo[] {
    return [...this.byPath.values()]
  }

  /** Replaces what one CustomResourceDefinition serves; nothing when there is nothing left. */
  setCustom(definition: string, infos: readonly ResourceInfo[]): void {
    for (const info of this.customs.get(definition) ?? []) {
      this.byPath.delete(`${info.group}/${info.version}/${info.resource}`)
      this.byKind.delete(`${info.group}/${info.version}/${info.kind}`)
    }
    if (infos.length > 0) this.customs.set(definition, infos)
    else this.customs.delete(definition)
    for (const info of infos) this.add(info)
    this.changes++
    for (const listener of [...this.listeners]) listener()
  }

  isCustom(info: ResourceInfo): boolean {
    return this.customs.get(`${info.resource}.${info.group}`)?.includes(info) ?? false
  }

  onChange(listener: () => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => this.listeners.delete(listener) }
  }

  private add(info: ResourceInfo): void {
    this.byPath.set(`${info.group}/${info.version}/${info.resource}`, info)
    this.byKind.set(`${info.group}/${info.version}/${info.kind}`, info)
  }
}

/** The store's table in which a resource lies. */
export function tableOf({ storage }: ResourceInfo): string {
  return qualified(storage)
}

/** An object's key in its table. */
export function keyOf(info: ResourceInfo, namespace: string, name: string): string {
  return info.namespaced ? `${namespace}/${name}` : name
}

export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group ? `${group}/${version}` : version
}
