/** Helm's releases as they are stored in the cluster: Secrets of type helm.sh/release.v1, one a revision. */
import { gunzipSync } from 'node:zlib'
import { parseAllDocuments } from 'yaml'
import type { Deployment } from '../embedded/schema/types/apps.v1.ts'
import type { WatchedObject } from '../engine.ts'

/** One revision of a release. */
export interface Revision {
  release: string
  namespace: string
  revision: number
  /** deployed, superseded, failed, pending-install ... */
  status: string
  /** "Install complete", "Rollback to 1", or what went wrong. */
  description: string
  /** Values that a person gave, without the chart's own. */
  values: Record<string, unknown>
  /** What was sent to the cluster, YAML. */
  manifest: string
}

/** Query for the Secrets that `revisionsOf` reads; it needs `values: true`. */
export function releaseSecrets(namespace: string) {
  return { group: '', version: 'v1', resource: 'secrets', namespace, labelSelector: 'owner=helm' } as const
}

/** The revisions of a release, oldest first. A Secret that holds none (or was tampered with) is left out. */
export function revisionsOf(secrets: readonly WatchedObject[] | undefined, release: string): Revision[] {
  return (secrets ?? [])
    .flatMap((secret) => decode(secret) ?? [])
    .filter((one) => one.release === release)
    .sort((a, b) => a.revision - b.revision)
}

/** Whether it reached the cluster: failed and pending revisions did not, also once a later one has superseded them. */
export function succeeded({ status, description }: Revision): boolean {
  return (status === 'deployed' || status === 'superseded') && !/\bfailed\b/i.test(description)
}

/** The first Deployment of a manifest. */
export function deploymentIn(manifest: string): Deployment | undefined {
  for (const document of parseAllDocuments(manifest)) {
    if (document.errors.length > 0) continue
    const object = document.toJS() as { kind?: string } | null
    if (object?.kind === 'Deployment') return object as unknown as Deployment
  }
  return undefined
}

function decode(secret: WatchedObject): Revision | undefined {
  const stored = (secret['data'] as Record<string, unknown> | undefined)?.['release']
  if (typeof stored !== 'string') return undefined
  try {
    const packed = Buffer.from(Buffer.from(stored, 'base64').toString('latin1'), 'base64')
    const release = JSON.parse(gunzipSync(packed).toString('utf8')) as Stored
    return {
      release: release.name ?? '',
      namespace: release.namespace ?? '',
      revision: release.version ?? 0,
      status: release.info?.status ?? '',
      description: release.info?.description ?? '',
      values: release.config ?? {},
      manifest: release.manifest ?? '',
    }
  } catch {
    return undefined // not what Helm writes
  }
}

interface Stored {
  name?: string
  namespace?: string
  version?: number
  info?: { status?: string; description?: string }
  config?: Record<string, unknown> | null
  manifest?: string
}
