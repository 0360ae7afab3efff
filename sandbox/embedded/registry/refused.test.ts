import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce } from '../machinery/pieces.ts'
import { decodeObject } from '../schema/index.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { type FieldError, findKind } from './index.ts'

interface Recorded {
  request: KubeObject & { spec?: unknown; webhooks?: unknown }
  causes: FieldError[]
}

const recorded = ['refused', 'refused-extensions'].flatMap(
  (name) => JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8')) as Recorded[],
)
const context = {
  now: '2026-01-01T00:00:00Z',
  newUid: () => 'uid',
  namespaceLabels: () => ({}),
  allocator: { clusterIP: () => '10.96.0.77', nodePort: () => 30077 },
}
const title = ({ request }: Recorded) =>
  `${request.kind} ${JSON.stringify(request.spec ?? request.webhooks ?? request.metadata).slice(0, 400)}`

test.each(recorded.map((pair) => [title(pair), pair] as const))(
  'refuses %s in the words of a real API server',
  (_, { request, causes }) => {
    const [version = '', group = ''] = request.apiVersion.split('/').reverse()
    const { strategy, namespaced } = findKind(group, version, request.kind)!
    const object = decodeObject(request, wireTypeOf(request.apiVersion, request.kind)!).object as unknown as KubeObject
    if (namespaced) object.metadata.namespace = 'lab'
    object.metadata.uid = 'c0ffee00-0000-4000-8000-000000000000'
    strategy.default(object)
    strategy.prepareForCreate(object, context)
    expect(sorted(atOnce(strategy.validateCreate(object, context)))).toEqual(sorted(causes))
  },
)

function sorted(errors: readonly FieldError[]): string[] {
  return errors.map(({ reason, field, message }) => `${reason} ${field}: ${message}`).sort()
}
