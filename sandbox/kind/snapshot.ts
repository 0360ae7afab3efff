import type { ApiRequest, ApiResponse, Snapshot, WatchedObject } from '../engine.ts'
import { listObjects, sentence } from '../manifests.ts'

type Api = (request: ApiRequest) => Promise<ApiResponse>

interface Discovered {
  group: string
  version: string
  resource: string
}

/** Served from elsewhere or computed at each request: not objects of the cluster. */
const notKept = new Set(['componentstatuses', 'metrics.k8s.io'])

/** Every object of every kind that a cluster's API server can list, in the form all engines write. */
export async function takeSnapshot(api: Api): Promise<Snapshot> {
  const [version, revision, resources] = await Promise.all([kubernetesVersion(api), newestRevision(api), listable(api)])
  const objects: WatchedObject[] = []
  // a few at a time: a hundred lists at once would stand in each other's way
  const waiting = [...resources]
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) objects.push(...(await listObjects(api, next)))
  }
  await Promise.all(Array.from({ length: 6 }, work))
  objects.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  return { format: 1, engine: 'kind', kubernetesVersion: version, time: Date.now(), resourceVersion: revision, objects }
}

async function kubernetesVersion(api: Api): Promise<string> {
  return ((await get(api, '/version')) as { gitVersion: string }).gitVersion
}

/** The newest revision: that of any list. */
async function newestRevision(api: Api): Promise<string> {
  const list = (await get(api, '/api/v1/namespaces?limit=1')) as { metadata: { resourceVersion: string } }
  return list.metadata.resourceVersion
}

/** What can be listed, each in its group's preferred version. */
async function listable(api: Api): Promise<Discovered[]> {
  const groups = (await get(api, '/apis')) as { groups: { name: string; preferredVersion: { version: string } }[] }
  const places = [
    { group: '', version: 'v1' },
    ...groups.groups.map(({ name, preferredVersion }) => ({ group: name, version: preferredVersion.version })),
  ].filter(({ group }) => !notKept.has(group))
  const found = await Promise.all(
    places.map(async ({ group, version }) => {
      const answer = await api({ method: 'GET', path: group === '' ? `/api/${version}` : `/apis/${group}/${version}` })
      // an aggregated API whose server is down answers 503; the rest of the cluster is there all the same
      if (answer.status >= 400) return []
      const { resources } = answer.body as { resources: { name: string; verbs: string[] }[] }
      return resources
        .filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list') && verbs.includes('get') && !notKept.has(name))
        .map(({ name }) => ({ group, version, resource: name }))
    }),
  )
  return found.flat().filter(({ group, resource }) => !(group === 'events.k8s.io' && resource === 'events'))
}

async function get(api: Api, path: string): Promise<unknown> {
  const answer = await api({ method: 'GET', path })
  if (answer.status >= 400) throw new Error(`${path}: ${sentence(answer)}`)
  return answer.body
}

function keyOf({ apiVersion, kind, metadata }: WatchedObject): string {
  return `${apiVersion}/${kind}/${metadata.namespace ?? ''}/${metadata.name}`
}
