import type { VolumeFile } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { TokenRequest } from '../schema/types/authentication.v1.ts'
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection } from '../schema/types/core.v1.ts'
import { fieldValue, type NodeFacts, resourceValue } from './environment.ts'

export type Files = Record<string, VolumeFile>

/** Token lifetimes are renewed at four fifths, as the kubelet's token manager does. */
const renewAt = 0.8

/** The files of a pod's volumes whose content comes from the API: ConfigMaps, Secrets, the downward API, tokens. */
export class VolumeContent {
  private readonly ctx: ClusterContext
  private readonly node: NodeFacts
  private readonly tokens = new Map<string, { token: string; renewAt: number }>()

  constructor(ctx: ClusterContext, node: NodeFacts) {
    this.ctx = ctx
    this.node = node
  }

  /** When the next token must be renewed, cluster ms. */
  nextRenewal(): number | undefined {
    const times = [...this.tokens.values()].map((token) => token.renewAt)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  /** Undefined for a volume of another kind. Rejects in the kubelet's words when something is missing. */
  async of(pod: Pod, volume: Volume, podIP: string): Promise<Files | undefined> {
    const { configMap, secret, downwardAPI, projected } = volume
    if (configMap) return this.configMapFiles(pod, configMap, configMap.defaultMode ?? 0o644)
    if (secret) return this.secretFiles(pod, { ...secret, name: secret.secretName }, secret.defaultMode ?? 0o644)
    if (downwardAPI) return this.downwardFiles(pod, downwardAPI.items ?? [], downwardAPI.defaultMode ?? 0o644, podIP)
    if (!projected) return undefined
    const files: Files = {}
    const failures: string[] = []
    for (const source of projected.sources ?? []) {
      try {
        Object.assign(files, await this.projection(pod, source, projected.defaultMode ?? 0o644, podIP))
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
    }
    if (failures.length > 0) throw new Error(failures.length === 1 ? failures[0] : `[${failures.join(', ')}]`)
    return files
  }

  private async projection(pod: Pod, source: VolumeProjection, mode: number, podIP: string): Promise<Files> {
    if (source.configMap) return this.configMapFiles(pod, source.configMap, mode)
    if (source.secret) return this.secretFiles(pod, source.secret, mode)
    if (source.downwardAPI) return this.downwardFiles(pod, source.downwardAPI.items ?? [], mode, podIP)
    if (source.serviceAccountToken) {
      const { audience, expirationSeconds, path } = source.serviceAccountToken
      const token = await this.token(pod, audience, expirationSeconds ?? 3600)
      const uid = commonUser(pod)
      const own = uid !== undefined || pod.spec?.securityContext?.fsGroup !== undefined
      return { [path]: { content: Buffer.from(token), mode: own ? 0o600 : mode, ...(uid !== undefined && { uid }) } }
    }
    return {}
  }

  private configMapFiles(pod: Pod, source: { name?: string; items?: KeyToPath[]; optional?: boolean }, mode: number): Files {
    const found = this.ctx.cache.get<ConfigMap>(resources.configMaps, source.name ?? '', pod.metadata.namespace)
    if (!found && !source.optional) throw new Error(`configmap "${source.name}" not found`)
    const data: Record<string, Uint8Array> = {}
    for (const [key, text] of Object.entries(found?.data ?? {})) data[key] = Buffer.from(text)
    for (const [key, base64] of Object.entries(found?.binaryData ?? {})) data[key] = Buffer.from(base64, 'base64')
    return selectItems(data, source.items, mode, source.optional, 'configmap references non-existent config key')
  }

  private secretFiles(pod: Pod, source: { name?: string; items?: KeyToPath[]; optional?: boolean }, mode: number): Files {
    const found = this.ctx.cache.get<Secret>(resources.secrets, source.name ?? '', pod.metadata.namespace)
    if (!found && !source.optional) throw new Error(`secret "${source.name}" not found`)
    const data: Record<string, Uint8Array> = {}
    for (const [key, base64] of Object.entries(found?.data ?? {})) data[key] = Buffer.from(base64, 'base64')
    return selectItems(data, source.items, mode, source.optional, 'references non-existent secret key')
  }

  private downwardFiles(pod: Pod, items: DownwardAPIVolumeFile[], defaultMode: number, podIP: string): Files {
    const files: Files = {}
    for (const { path, fieldRef, resourceFieldRef, mode = defaultMode } of items) {
      const container = pod.spec?.containers[0]
      const text = fieldRef
        ? fieldValue(pod, fieldRef.fieldPath, podIP, this.node)
        : resourceFieldRef && container
          ? resourceValue(pod, container, resourceFieldRef, this.node)
          : ''
      files[path] = { content: Buffer.from(text), mode }
    }
    return files
  }

  private async token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { clock, client } = this.ctx
    const key = `${audience ?? ''}/${expirationSeconds}`
    const known = this.tokens.get(key)
    if (known && clock.now() < known.renewAt) return known.token
    const { name = '', namespace, uid } = pod.metadata
    const account = pod.spec?.serviceAccountName || 'default'
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
      },
    }
    const made = await clock.during(client.create(resources.serviceAccounts, request, { namespace, subresource: 'token', name: account }))
    const token = made.status?.token ?? ''
    this.tokens.set(key, { token, renewAt: clock.now() + expirationSeconds * 1000 * renewAt })
    return token
  }
}

function selectItems(
  data: Record<string, Uint8Array>,
  items: KeyToPath[] | undefined,
  defaultMode: number,
  optional: boolean | undefined,
  missing: string,
): Files {
  const files: Files = {}
  if (!items?.length) {
    for (const [key, content] of Object.entries(data)) files[key] = { content, mode: defaultMode }
    return files
  }
  for (const { key, path, mode = defaultMode } of items) {
    const content = data[key]
    if (content) files[path] = { content, mode }
    else if (!optional) throw new Error(`${missing}: ${key}`)
  }
  return files
}

/** The user that all containers of a pod run as, when the spec gives every one the same: a token belongs to them. */
function commonUser(pod: Pod): number | undefined {
  const { securityContext, containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {}
  const users = new Set(
    [...initContainers, ...containers, ...ephemeralContainers].map(
      (container) => container.securityContext?.runAsUser ?? securityContext?.runAsUser,
    ),
  )
  return users.size === 1 ? [...users][0] : undefined
}

/** Whether nothing would change. */
export function sameFiles(a: Files | undefined, b: Files): boolean {
  if (!a) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [one, other] = [a[name], b[name]]
      return one && other && one.mode === other.mode && Buffer.compare(one.content, other.content) === 0
    })
  )
}
