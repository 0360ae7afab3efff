import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'

export interface Writer {
  manager: string
  /** '' for the resource itself. */
  subresource: string
  /** RFC 3339 */
  time: string
}

/** Keeps track of who set which field (metadata.managedFields), and applies by it. */
export interface FieldManager {
  /** Sets the managedFields of `object`, which `live` is about to become (undefined: is created). */
  track(info: ResourceInfo, live: KubeObject | undefined, object: KubeObject, by: Writer): void
  /** What `live` becomes when a manager applies a configuration. Throws ApiError Conflict. */
  apply(info: ResourceInfo, live: KubeObject | undefined, applied: KubeObject, by: Writer, force: boolean): KubeObject
}
