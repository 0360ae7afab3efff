import { parseAllDocuments } from 'yaml'
import type { ApiRequest, ApiResponse, ObjectSelector, WatchedObject } from './engine.ts'

type Api = (request: ApiRequest) => Promise<ApiResponse>

interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string }
}

/**
 * Applies YAML manifests (server-side, forced, field manager "labernetes") in their order. Rejects with the object's name
 * and the server's sentence at the first that is refused.
 */
export async function applyManifests(api: Api, yaml: string): Promise<void> {
  const kinds = new Map<string, { name: string; namespaced: boolean }>()
  for (const document of parseAllDocuments(yaml)) {
    if (document.errors[0]) throw new Error(`A manifest is not YAML: ${document.errors[0].message}`)
    const manifest = document.toJS() as Manifest | null
    if (!manifest) continue
    const kind = await resourceOf(api, manifest, kinds)
    const path = pathOf({
      ...splitVersion(manifest.apiVersion),
      resource: kind.name,
      name: manifest.metadata.name,
      ...(kind.namespaced ? { namespace: manifest.metadata.namespace ?? 'default' } : {}),
    })
    const answer = await api({
      method: 'PATCH',
      path: `${path}?fieldManager=labernetes&force=true`,
      body: manifest,
      contentType: 'application/apply-patch+yaml',
    })
    if (answer.status >= 400) throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${sentence(answer)}`)
  }
}

/** All objects that a selector names; an empty list for a missing one. Rejects with the server's sentence. */
export async function listObjects(api: Api, selector: ObjectSelector): Promise<WatchedObject[]> {
  const query = selector.labelSelector ? `?labelSelector=${encodeURIComponent(selector.labelSelector)}` : ''
  const answer = await api({ method: 'GET', path: `${pathOf(selector)}${query}` })
  if (answer.status === 404) return []
  if (answer.status >= 400) throw new Error(sentence(answer))
  const { items, apiVersion, kind } = answer.body as { items?: WatchedObject[]; apiVersion: string; kind: string }
  if (!items) return [answer.body as WatchedObject]
  return items.map((item) => ({ ...item, apiVersion: item.apiVersion ?? apiVersion, kind: item.kind ?? kind.replace(/List$/, '') }))
}

/** The URL path of a collection, or of one object when the selector has a name. */
export function pathOf({ group, version, resource, namespace, name }: ObjectSelector): string {
  const parts = [group === '' ? `/api/${version}` : `/apis/${group}/${version}`]
  if (namespace) parts.push('namespaces', namespace)
  parts.push(resource)
  if (name) parts.push(name)
  return parts.join('/')
}

/** What a refusal says, in the server's words. */
export function sentence({ status, body }: ApiResponse): string {
  const message = (body as { message?: unknown } | null)?.message
  return typeof message === 'string' ? message : `the API server answered ${status}`
}

function splitVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

async function resourceOf(
  api: Api,
  { apiVersion, kind }: Manifest,
  known: Map<string, { name: string; namespaced: boolean }>,
): Promise<{ name: string; namespaced: boolean }> {
  const key = `${apiVersion}/${kind}`
  const found = known.get(key)
  if (found) return found
  const { group, version } = splitVersion(apiVersion)
  const answer = await api({ method: 'GET', path: group === '' ? `/api/${version}` : `/apis/${group}/${version}` })
  if (answer.status >= 400) throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`)
  const list = (answer.body as { resources: { name: string; kind: string; namespaced: boolean }[] }).resources
  for (const resource of list) if (!resource.name.includes('/')) known.set(`${apiVersion}/${resource.kind}`, resource)
  const result = known.get(key)
  if (!result) throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`)
  return result
}
