import { createHash } from 'node:crypto'
import type { Cache } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { RuntimeClass } from '../schema/types/node.v1.ts'

/** The handlers that containerd is configured with on kind's nodes. */
const handlers = new Set(['', 'runc', 'test-handler'])

/** Why a pod's sandbox cannot be made, as FailedCreatePodSandBox says it. */
export function sandboxFailure(pod: Pod, cache: Cache): string | undefined {
  const name = pod.spec?.runtimeClassName
  if (name === undefined) return undefined
  const found = cache.get<RuntimeClass>(resources.runtimeClasses, name)
  if (!found) return `failed to get sandbox runtime: runtimeclass.node.k8s.io ${JSON.stringify(name)} not found`
  if (handlers.has(found.handler)) return undefined
  const why = `failed to get sandbox runtime: no runtime for ${JSON.stringify(found.handler)} is configured`
  return `Failed to create pod sandbox: rpc error: code = Unknown desc = ${why}`
}

/** containerd's id of a pod's sandbox. */
export function sandboxId(uid: string): string {
  return createHash('sha256').update(`sandbox/${uid}`).digest('hex')
}
