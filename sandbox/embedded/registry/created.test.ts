import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { trackManagedFields } from '../apply/index.ts'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce } from '../machinery/pieces.ts'
import { decodeObject, schemaOf } from '../schema/index.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { findKind } from './index.ts'

interface Recorded {
  request: KubeObject
  response: KubeObject
}

const recorded = JSON.parse(readFileSync(new URL('./fixtures/created.json', import.meta.url), 'utf8')) as Recorded[]
const context = {
  now: '2026-01-01T00:00:00Z',
  newUid: () => 'uid',
  namespaceLabels: () => ({}),
  allocator: { clusterIP: () => '10.96.0.77', nodePort: () => 30077 },
}

/** What admission adds on the recording server (and a finalizer on claims), which has no part in defaults. */
const byAdmission = ['priority', 'preemptionPolicy', 'tolerations']

describe.each(recorded.map((pair) => [pair.request.kind, pair] as const))(
  '%s as a real API server creates it',
  (_, { request, response }) => {
    const { group, version } = split(request.apiVersion)
    const info = findKind(group, version, request.kind)!
    const { strategy } = info
    const type = wireTypeOf(request.apiVersion, request.kind)!

    test('has the same defaults', () => {
      const object = decodeObject(structuredClone(request), type).object as unknown as KubeObject
      object.metadata.uid = response.metadata.uid
      object.metadata.namespace = response.metadata.namespace
      strategy.default(object)
      strategy.prepareForCreate(object, context)
      expect(atOnce(strategy.validateCreate(object, context))).toEqual([])
      expect(comparable(object)).toEqual(comparable(response))
    })

    test('is owned by its creator field by field', () => {
      const object = decodeObject(structuredClone(request), type).object as unknown as KubeObject
      strategy.default(object)
      const entries = atOnce(
        trackManagedFields({
          before: undefined,
          after: object,
          schema: schemaOf(group, version, request.kind),
          manager: 'tester',
          apiVersion: request.apiVersion,
          reset: info.resetFields[''],
          now: response.metadata.managedFields?.[0]?.time ?? '',
        }),
      )
      expect(entries).toEqual(response.metadata.managedFields)
    })
  },
)

function split(apiVersion: string): { group: string; version: string } {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  return { group, version }
}

function comparable(object: KubeObject): unknown {
  const copy = structuredClone(object) as KubeObject & { spec?: Record<string, unknown>; status?: Record<string, unknown> }
  for (const key of ['uid', 'creationTimestamp', 'resourceVersion', 'generation', 'managedFields'] as const) delete copy.metadata[key]
  if (copy.kind === 'PersistentVolumeClaim') delete copy.metadata.finalizers
  if (copy.kind === 'Pod') for (const key of byAdmission) delete copy.spec?.[key]
  return JSON.parse(JSON.stringify(copy))
}
