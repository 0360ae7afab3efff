import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import { findKind } from '../registry/index.ts'
import { decodeObject, schemaOf } from '../schema/index.ts'
import { applyPatch, PatchError } from './index.ts'

interface Recorded {
  before: KubeObject
  cases: { type: 'json' | 'merge' | 'strategic'; patch: unknown; status: number; after?: KubeObject; message?: string }[]
}

const { before, cases } = JSON.parse(readFileSync(new URL('./fixtures/patched.json', import.meta.url), 'utf8')) as Recorded
const schema = schemaOf('apps', 'v1', 'Deployment')!
const { strategy } = findKind('apps', 'v1', 'Deployment')!

describe('a Deployment patched as by a real API server', () => {
  test.each(cases.map((pair) => [`${pair.type} ${JSON.stringify(pair.patch)}`, pair] as const))(
    '%s',
    (_, { type, patch, status, after, message }) => {
      const untouched = structuredClone(before)
      if (after) {
        const patched = decodeObject(applyPatch(type, before, patch, schema), 'apps.v1.Deployment').object as unknown as KubeObject
        strategy.default(patched)
        expect(JSON.parse(JSON.stringify(patched))).toEqual(after)
      } else {
        const error = caught(() => applyPatch(type, before, patch, schema))
        expect(error?.status).toBe(status)
        expect(error?.message).toBe(message)
      }
      expect(before).toEqual(untouched)
    },
  )
})

test('a strategic patch of a custom resource is refused', () => {
  expect(caught(() => applyPatch('strategic', before, {}))?.status).toBe(415)
})

function caught(action: () => unknown): PatchError | undefined {
  try {
    action()
  } catch (error) {
    if (error instanceof PatchError) return error
    throw error
  }
  return undefined
}
