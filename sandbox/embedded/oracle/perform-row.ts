import { setTimeout as sleep } from 'node:timers/promises'
import { unaccounted } from './compare.ts'
import { isHangUp } from './fixtures.ts'
import type { Row, Step } from './row-steps.ts'
import type { Answer, Server } from './server.ts'
import type { Fields } from './specimens/index.ts'

/** The answers to a row's steps, without what may differ; null where the connection broke off. Afterwards the object is gone. */
export async function performRow(server: Server, row: Row): Promise<(Answer | null)[]> {
  await remove(server, row)
  const answers: (Answer | null)[] = []
  for (const step of row.steps) {
    const answer = await answered(send(server, row, step))
    answers.push(answer && unaccounted(answer))
    if (looked.has(row.specimen.kind) && answer?.status === 201) await until(server, row, isLookedAt)
    if (row.specimen.kind === 'CustomResourceDefinition' && step.method === 'DELETE') await until(server, row, isCleaned)
  }
  await remove(server, row)
  return answers
}

async function answered(asked: Promise<Answer>): Promise<Answer | null> {
  try {
    return await asked
  } catch (error) {
    if (isHangUp(error)) return null
    throw error
  }
}

/** Both servers' administrators have names of their own; this one may do as much. */
const somebody = { 'impersonate-user': 'ann', 'impersonate-group': 'system:masters' }
/** Kinds whose status an API server itself writes, soon after they are there. */
const looked = new Set(['CustomResourceDefinition', 'APIService', 'FlowSchema'])
const cleanup = 'customresourcecleanup.apiextensions.k8s.io'
/** ms between two looks, and how many. */
const pause = 50
const looks = 100

async function send(server: Server, { collection, name }: Row, step: Step): Promise<Answer> {
  let { body } = step
  if (step.current) {
    const { body: now } = await server.send('GET', `${collection}/${name}`)
    const { resourceVersion } = (now as { metadata?: { resourceVersion?: string } }).metadata ?? {}
    const { metadata } = body as Fields
    if (typeof metadata === 'object' && metadata !== null) body = { ...(body as Fields), metadata: { ...metadata, resourceVersion } }
  }
  return server.send(step.method, collection + step.path, body, step.contentType ?? 'application/json', somebody)
}

type Looked = { kind?: string; metadata?: Fields; status?: { conditions?: { type: string }[] | null } }

async function until(server: Server, { collection, name }: Row, done: (object: Looked) => boolean): Promise<void> {
  for (let look = 0; look < looks; look++) {
    const { status, body } = await server.send('GET', `${collection}/${name}`)
    if (status !== 200 || done(body as Looked)) return
    await sleep(pause)
  }
}

function isLookedAt({ kind, status }: Looked): boolean {
  const conditions = status?.conditions ?? []
  return kind === 'CustomResourceDefinition' ? conditions.some(({ type }) => type === 'Established') : conditions.length > 0
}

/** The server itself has done with it: its instances are gone, or it is not being deleted. */
function isCleaned({ metadata = {} }: Looked): boolean {
  return !metadata['deletionTimestamp'] || !(metadata['finalizers'] as string[] | undefined)?.includes(cleanup)
}

/** Takes off what would hold it, too: nobody else does. */
async function remove(server: Server, { collection, name, specimen }: Row): Promise<void> {
  const path = `${collection}/${name}`
  for (let look = 0; look < looks; look++) {
    const { status, body } = await server.send('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 })
    if (status === 404) return
    const { metadata } = body as { metadata?: Fields }
    if (metadata?.['finalizers'] && specimen.kind !== 'CustomResourceDefinition') {
      await server.send('PATCH', path, { metadata: { finalizers: null } }, 'application/merge-patch+json')
    }
    if (specimen.kind === 'Namespace') {
      await server.send('PUT', `${path}/finalize`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: { finalizers: [] } })
    }
    if (look > 1) await sleep(pause)
  }
  throw new Error(`${path} does not go away`)
}
