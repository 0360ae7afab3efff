import type { ResourceInfo } from '../registry/index.ts'
import { storagePath } from '../registry/storage-key.ts'

/** Keys that are no Kubernetes object's lie in this table, under their own name in hex. */
export const plainTable = 'keys.etcd'

/** The prefix, with a slash at its end, under which a resource's objects lie. */
export function prefixOf(storage: ResourceInfo['storage'], custom: boolean): string {
  return `/registry${storagePath(storage, custom)}/`
}

/** The name of the table's key for a plain key of etcd. */
export function plainName(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}
