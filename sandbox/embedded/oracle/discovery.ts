import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { customDefinition, definitionsPath } from './custom-definition.ts'
import type { Server } from './server.ts'

const file = new URL('./fixtures/discovery.json.gz', import.meta.url)
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** What was found at which path, in which form. */
export type Found = Record<string, unknown>

/** Definitions and APIServices that discovery must tell of: several versions, short names, categories, servers that are not there. */
export const published: { path: string; body: { metadata: { name: string } } }[] = [
  definition(
    'zoo.example.com',
    'Namespaced',
    { plural: 'zebras', kind: 'Zebra', shortNames: ['zb', 'ze'], categories: ['all', 'animals'] },
    [
      { name: 'v1beta1', served: true, storage: false, deprecated: true },
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.stripes', statusReplicasPath: '.status.stripes' } },
      },
      { name: 'v2alpha1', served: true, storage: false },
      { name: 'v0', served: false, storage: false },
    ],
  ),
  definition('zoo.example.com', 'Cluster', { plural: 'apes', kind: 'Ape', listKind: 'ApeTroop' }, [
    { name: 'v1', served: true, storage: true },
  ]),
  definition('alpha.example.com', 'Cluster', { plural: 'rocks', kind: 'Rock' }, [{ name: 'v1', served: true, storage: true }]),
  apiService('broken.example.com', 'v1alpha1', 100),
  apiService('front.example.com', 'v2', 17_900),
]

/** Every discovery document of a server, the old form and the aggregated one. */
export async function discoveryOf(server: Server): Promise<Found> {
  const get = async (path: string, accept = 'application/json') => (await server.send('GET', path, undefined, undefined, { accept })).body
  const found: Found = { '/api aggregated': await get('/api', aggregated), '/apis aggregated': await get('/apis', aggregated) }
  const groups = (await get('/apis')) as { groups: { name: string; versions: { groupVersion: string }[] }[] }
  const paths = groups.groups.flatMap(({ name, versions }) => [name, ...versions.map(({ groupVersion }) => groupVersion)])
  for (const path of ['/', '/api/v1', '/apis', ...paths.map((path) => `/apis/${path}`)]) found[path] = comparable(await get(path))
  return found
}

/** The order of a group's definitions is a map's, and changes from one server to the next. */
function comparable(document: unknown): unknown {
  const { groupVersion, resources } = document as { groupVersion?: string; resources?: { name: string }[] }
  if (!groupVersion?.includes('example.com') || !resources) return document
  return { ...(document as object), resources: resources.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }
}

export function recordedDiscovery(): Found {
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as Found
}

export function recordDiscovery(found: Found): void {
  writeFileSync(file, gzipSync(JSON.stringify(found), { level: 9 }))
}

function definition(group: string, scope: string, names: Parameters<typeof customDefinition>[1], versions: Record<string, unknown>[]) {
  const whole = versions.map((version) => ({ ...version, schema: { openAPIV3Schema: { type: 'object' } } }))
  return { path: definitionsPath, body: customDefinition(group, names, whole, scope) }
}

function apiService(group: string, version: string, groupPriorityMinimum: number) {
  const service = { name: 'none', namespace: 'default' }
  return {
    path: '/apis/apiregistration.k8s.io/v1/apiservices',
    body: {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `${version}.${group}` },
      spec: { group, version, groupPriorityMinimum, versionPriority: 10, service, insecureSkipTLSVerify: true },
    },
  }
}
