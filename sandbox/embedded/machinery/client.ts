import type { ApiServer } from '../api/api-server.ts'
import type { Client, DeleteOptions, PatchOptions, PatchType } from './context.ts'
import { ApiError, ApiUnreachable } from './errors.ts'
import type { KubeObject, Resource, UserInfo } from './object.ts'

/** Who asks in the process itself: nothing that somebody does to Roles and bindings takes it away. */
export const administrator: UserInfo = {
  username: 'kubernetes-admin',
  groups: ['kubeadm:cluster-admins', 'system:masters', 'system:authenticated'],
}

/** Whom kubeadm writes into admin.conf: may do what cluster-admin may, as long as the binding is there. */
export const boundAdministrator = { username: 'kubernetes-admin', groups: ['kubeadm:cluster-admins'] }

const patchTypes: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

export interface ClientIdentity {
  user: UserInfo
  /** Becomes the manager of the fields it writes: kube-controller-manager, kubelet. */
  userAgent: string
}

/** A client that asks the API server in the same process, by the same way as one over HTTP. */
export function createClient(server: ApiServer, identity: ClientIdentity, signal: AbortSignal): Client {
  return new InProcessClient(server, identity, signal)
}

/** The same client for somebody whom the server is not always there for: `why` tells what a call then fails with (ApiUnreachable). */
export function gatedClient(client: Client, why: () => string | undefined): Client {
  const open = () => {
    const reason = why()
    if (reason !== undefined) throw new ApiUnreachable(reason)
    return client
  }
  return {
    get: async (...given) => await open().get(...given),
    list: async (...given) => await open().list(...given),
    create: async (...given) => await open().create(...given),
    update: async (...given) => await open().update(...given),
    patch: async (...given) => await open().patch(...given),
    delete: async (...given) => await open().delete(...given),
    as: (user) => gatedClient(client.as(user), why),
  }
}

class InProcessClient implements Client {
  private readonly server: ApiServer
  private readonly identity: ClientIdentity
  private readonly signal: AbortSignal

  constructor(server: ApiServer, identity: ClientIdentity, signal: AbortSignal) {
    this.server = server
    this.identity = identity
    this.signal = signal
  }

  async get<T extends KubeObject>(resource: Resource, name: string, namespace?: string): Promise<T> {
    return (await this.object('GET', path(resource, namespace, name))) as T
  }

  async list<T extends KubeObject>(
    resource: Resource,
    options: { namespace?: string; labelSelector?: string; fieldSelector?: string } = {},
  ): Promise<T[]> {
    const { namespace, labelSelector, fieldSelector } = options
    const outcome = await this.call('GET', path(resource, namespace) + query({ labelSelector, fieldSelector }))
    if (outcome.type !== 'list') throw new Error(`listing ${resource.resource} was answered with ${outcome.type}`)
    return outcome.listing.items as unknown as T[]
  }

  async create<T extends KubeObject>(
    resource: Resource,
    object: T,
    { namespace = object.metadata?.namespace, subresource, name }: { namespace?: string; subresource?: string; name?: string } = {},
  ): Promise<T> {
    return (await this.object(
      'POST',
      path(resource, namespace, subresource ? (name ?? object.metadata.name) : undefined, subresource),
      object,
    )) as T
  }

  async update<T extends KubeObject>(resource: Resource, object: T, { subresource }: { subresource?: string } = {}): Promise<T> {
    return (await this.object('PUT', path(resource, object.metadata.namespace, object.metadata.name, subresource), object)) as T
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    name: string,
    patch: unknown,
    type: PatchType,
    options: PatchOptions = {},
  ): Promise<T> {
    const { namespace, subresource, fieldManager = type === 'apply' ? this.identity.userAgent : undefined, force } = options
    const url = path(resource, namespace, name, subresource) + query({ fieldManager, force: force?.toString() })
    return (await this.object('PATCH', url, patch, patchTypes[type])) as T
  }

  async delete(resource: Resource, name: string, namespace?: string, options?: DeleteOptions): Promise<void> {
    await this.call('DELETE', path(resource, namespace, name), options && { kind: 'DeleteOptions', apiVersion: 'v1', ...options })
  }

  as(user: UserInfo): Client {
    return new InProcessClient(this.server, { ...this.identity, user }, this.signal)
  }

  private async object(method: string, url: string, value?: unknown, contentType?: string): Promise<KubeObject> {
    const outcome = await this.call(method, url, value, contentType)
    if (outcome.type !== 'object') throw new Error(`${method} ${url} was answered with ${outcome.type}`)
    return outcome.object as KubeObject
  }

  private async call(method: string, url: string, value?: unknown, contentType = 'application/json') {
    const { user, userAgent } = this.identity
    const headers = { 'content-type': contentType, 'user-agent': userAgent }
    const { outcome } = await this.server.handle({ method, url, headers, user, value, signal: this.signal })
    if (outcome.type === 'text') throw ApiError.unknownPath()
    return outcome
  }
}

function path({ group, version, resource }: Resource, namespace?: string, name?: string, subresource?: string): string {
  const parts = [group ? `/apis/${group}/${version}` : `/api/${version}`]
  if (namespace && resource !== 'namespaces') parts.push('namespaces', encodeURIComponent(namespace))
  parts.push(resource)
  if (name) parts.push(encodeURIComponent(name))
  if (subresource) parts.push(subresource)
  return parts.join('/')
}

function query(values: Record<string, string | undefined>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return given.length > 0 ? `?${new URLSearchParams(given)}` : ''
}
