import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce } from '../machinery/pieces.ts'
import { applyPatch } from '../patch/index.ts'
import { findKind } from '../registry/index.ts'
import { asStored } from '../schema/go-empty.ts'
import { decodeObject, schemaOf } from '../schema/index.ts'
import type { ManagedFieldsEntry } from '../schema/types/meta.v1.ts'
import { ApplyConflict, serverSideApply, trackManagedFields } from './index.ts'

interface Step {
  what: string
  type: 'apply' | 'merge' | 'strategic'
  manager: string
  force?: boolean
  sub?: string
  body: KubeObject & { spec?: unknown }
  status: number
  message?: string
  causes?: unknown[]
  before?: KubeObject
  after: KubeObject
}

const steps = JSON.parse(readFileSync(new URL('./fixtures/history.json', import.meta.url), 'utf8')) as Step[]
const schema = schemaOf('apps', 'v1', 'Deployment')!
const { strategy, resetFields } = findKind('apps', 'v1', 'Deployment')!
const now = '2026-01-01T00:00:00Z'

/** A Deployment's history as a real API server lived it: each step starts from the recorded state before it. */
describe('a history of applies and updates', () => {
  test.each(steps.map((step) => [step.what, step] as const))('%s', (_, step) => {
    const live = step.before
    if (step.status === 409) {
      const error = caught(() => run(step, live))
      expect(error).toBeInstanceOf(ApplyConflict)
      expect(error?.message).toBe(step.message)
      expect(inOrder(error?.causes)).toEqual(inOrder(step.causes))
      return
    }
    const object = run(step, live)
    expect(owners(object)).toEqual(owners(step.after))
    expect(comparable(asStored(object))).toEqual(comparable(step.after))
  })
})

test('an object that nobody is known to manage belongs to before-first-apply', () => {
  const { managedFields: _, ...metadata } = steps[0]!.after.metadata
  const live = { ...steps[0]!.after, metadata }
  const error = caught(() => run({ ...steps[3]!, body: steps[3]!.body }, live))
  expect(error?.message).toBe('Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas')
})

test('who takes fields off others lets others in between before each of these, and before what is left is written', () => {
  const map = (value: string): KubeObject =>
    ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { text: value } }) as never
  const owner = (index: number): ManagedFieldsEntry => ({
    manager: `manager-${index}`,
    operation: 'Update',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { 'f:text': {} } },
  })
  const piecesFor = (count: number) => {
    const before = { ...map('old'), metadata: { name: 'a', managedFields: Array.from({ length: count }, (_, index) => owner(index)) } }
    const work = trackManagedFields({
      before,
      after: map('new'),
      schema: schemaOf('', 'v1', 'ConfigMap'),
      manager: 'one',
      apiVersion: 'v1',
      now,
    })
    for (let pieces = 1; ; pieces++) {
      const { done, value } = work.next()
      if (done) return { pieces, managers: value?.map(({ manager }) => manager) }
    }
  }
  const { pieces, managers } = piecesFor(1)
  expect(managers).toEqual(['one'])
  expect(piecesFor(6)).toEqual({ pieces: pieces + 2 * 5, managers })
})

test('the maker of an object owns what it has given: nothing that Go has there anyway, and of items each by its own keys', () => {
  const made = (fields: object) => {
    const object = decodeObject(
      { apiVersion: 'v1', kind: 'Event', metadata: { name: 'a' }, involvedObject: {}, ...fields },
      'core.v1.Event',
    ).object
    const request = { before: undefined, schema: schemaOf('', 'v1', 'Event'), manager: 'one', apiVersion: 'v1', now }
    return atOnce(trackManagedFields({ ...request, after: object as never }))?.map(({ fieldsV1 }) => fieldsV1)
  }
  const owned = [{ 'f:reportingInstance': {} }]
  for (const instance of ['here', 'there']) expect(made({ reportingInstance: instance })).toEqual(owned)
  expect(made({ reportingInstance: '' })).toEqual([])
  expect(made({ reportingInstance: 'here' })).toEqual(owned)
  const finalized = (name: string) => made({ metadata: { name: 'a', finalizers: [name] } })
  const own = (name: string) => [{ 'f:metadata': { 'f:finalizers': { '.': {}, [`v:"${name}"`]: {} } } }]
  for (const name of ['a/one', 'a/two']) expect(finalized(name)).toEqual(own(name))
})

function run(step: Step, live: KubeObject | undefined): KubeObject {
  const common = { schema, manager: step.manager, subresource: step.sub, reset: resetFields[step.sub ?? ''], now }
  if (step.type === 'apply') {
    return defaulted(atOnce(serverSideApply({ ...common, live, applied: step.body, force: step.force })))
  }
  const patched = applyPatch(step.type, live, step.body, schema)
  const after = defaulted(patched as KubeObject)
  const managedFields = atOnce(trackManagedFields({ ...common, before: live, after, apiVersion: 'apps/v1' }))
  return { ...after, metadata: { ...after.metadata, managedFields } }
}

function defaulted(object: KubeObject): KubeObject {
  const result = decodeObject(object, 'apps.v1.Deployment').object as unknown as KubeObject
  strategy.default(result)
  return result
}

function caught(action: () => unknown): ApplyConflict | undefined {
  try {
    action()
  } catch (error) {
    if (error instanceof ApplyConflict) return error
    throw error
  }
  return undefined
}

function owners(object: KubeObject): unknown {
  const key = (entry: ManagedFieldsEntry) => `${entry.manager} ${entry.operation} ${entry.subresource ?? ''}`
  return Object.fromEntries((object.metadata.managedFields ?? []).map((entry) => [key(entry), entry.fieldsV1]))
}

function comparable(object: KubeObject): unknown {
  const { labels, annotations } = object.metadata
  const { spec, status } = object as KubeObject & { spec?: unknown; status?: unknown }
  return JSON.parse(JSON.stringify({ labels, annotations, spec, status }))
}

/** A real server lists causes in the order of a Go map: any. */
function inOrder(causes: unknown[] | undefined): string[] {
  return (causes ?? []).map((cause) => JSON.stringify(cause, ['reason', 'message', 'field'])).sort()
}

test('is done in pieces, between which others may go on', () => {
  const data = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, 'v']))
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data } as never
  const request = { applied, schema: undefined, manager: 'one', now: '2026-01-01T00:00:00Z' }
  const live = atOnce(serverSideApply({ ...request, live: undefined }))
  expect([...serverSideApply({ ...request, live })].length).toBeGreaterThan(6)
})
