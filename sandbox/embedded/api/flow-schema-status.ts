import { WorkQueue } from '../controllers/queue.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import type { Resource } from '../machinery/object.ts'
import type { FlowSchema, FlowSchemaCondition, PriorityLevelConfiguration } from '../schema/types/flowcontrol.v1.ts'
import { timestamp } from './object-meta.ts'

const group = 'flowcontrol.apiserver.k8s.io'
export const flowSchemas: Resource = { group, version: 'v1', resource: 'flowschemas' }
export const priorityLevels: Resource = { group, version: 'v1', resource: 'prioritylevelconfigurations' }

/** Says of each FlowSchema whether its priority level is there (Dangling), as the API server does (apf_controller.go). */
export function startFlowSchemaStatus(context: ClusterContext): Disposable {
  const { cache, client, clock } = context
  const queue = new WorkQueue(context, sync, { name: 'flow-schema-status' })
  const stack = new DisposableStack()
  stack.use(queue)
  stack.use(
    cache.watch<FlowSchema>(flowSchemas, ({ type, object }) => {
      if (type !== 'DELETED') queue.add(object.metadata.name ?? '')
    }),
  )
  stack.use(
    cache.watch<PriorityLevelConfiguration>(priorityLevels, ({ object }) => {
      for (const schema of cache.list<FlowSchema>(flowSchemas)) {
        if (schema.spec?.priorityLevelConfiguration.name === object.metadata.name) queue.add(schema.metadata.name ?? '')
      }
    }),
  )
  return stack

  async function sync(name: string): Promise<void> {
    const schema = cache.get<FlowSchema>(flowSchemas, name)
    if (!schema) return
    const level = schema.spec?.priorityLevelConfiguration.name ?? ''
    const exists = cache.get<PriorityLevelConfiguration>(priorityLevels, level) !== undefined
    const wanted = danglingCondition(level, exists, timestamp(clock.now()))
    const known = schema.status?.conditions?.find(({ type }) => type === 'Dangling')
    if (known?.status === wanted.status && known?.reason === wanted.reason && known?.message === wanted.message) return
    try {
      await client.patch(flowSchemas, name, danglingPatch(name, wanted), 'apply', danglingOptions)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** What the API server says of a FlowSchema with this priority level, `now` as an RFC 3339 time. */
export function danglingCondition(level: string, exists: boolean, now: string): FlowSchemaCondition {
  const about = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`
  return exists
    ? { type: 'Dangling', status: 'False', lastTransitionTime: now, reason: 'Found', message: `${about} and it exists` }
    : { type: 'Dangling', status: 'True', lastTransitionTime: now, reason: 'NotFound', message: `${about} but there is no such object` }
}

/** The body of an apply patch, to be sent with danglingOptions. */
export function danglingPatch(name: string, condition: FlowSchemaCondition): FlowSchema {
  return { apiVersion: `${group}/v1`, kind: 'FlowSchema', metadata: { name }, status: { conditions: [condition] } }
}

export const danglingOptions = {
  subresource: 'status',
  fieldManager: 'api-priority-and-fairness-config-consumer-v1',
  force: true,
} as const
