import { expect, test } from 'vitest'
import { documentsOf, recordedDocuments } from './documents.ts'
import { quietCluster } from './quiet-cluster.ts'

test('OpenAPI documents and how they are asked for are byte by byte those of a real API server with the same definitions', async () => {
  await using quiet = await quietCluster()
  const ours = await documentsOf(quiet.server)
  const real = recordedDocuments()
  expect(Object.keys(real.builtIn).length).toBeGreaterThan(40)
  expect(ours.builtIn).toEqual(real.builtIn)
  expect(ours.version2).toBe(real.version2)
  expect(ours.answers).toEqual(real.answers)
  // the order of names too
  expect(JSON.stringify(ours.custom)).toBe(JSON.stringify(real.custom))
  expect(JSON.stringify(ours.custom2)).toBe(JSON.stringify(real.custom2))
}, 60_000)
