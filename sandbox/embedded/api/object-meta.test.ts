import { expect, test } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { countGeneration } from './object-meta.ts'
import { ServedResources } from './resources.ts'

// Source: the strategies' PrepareForUpdate; reflect.DeepEqual for a NetworkPolicy, equality.Semantic for the others.
test.each([
  ['networkpolicies', { podSelector: {} }, { podSelector: {}, ingress: [] }, 2],
  ['networkpolicies', { podSelector: {} }, { podSelector: {} }, 1],
  ['ingresses', { ingressClassName: 'a' }, { ingressClassName: 'a', rules: [] }, 1],
])('%s: what an empty list is for the generation', (resource, before, after, generation) => {
  const info = new ServedResources().find('networking.k8s.io', 'v1', resource) as ResourceInfo
  const object = (spec: object) =>
    ({ apiVersion: 'networking.k8s.io/v1', kind: info.kind, metadata: { name: 'a', generation: 1 }, spec }) as KubeObject
  const updated = object(after)
  countGeneration(info, updated, object(before))
  expect(updated.metadata.generation).toBe(generation)
})
