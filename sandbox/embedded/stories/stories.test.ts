import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { embeddedCluster } from './embedded-cluster.ts'
import { stories } from './library/index.ts'
import { playStory } from './scene.ts'
import type { Recorded } from './tracks.ts'

let cluster: Cluster
let small: Cluster
const errors: unknown[] = []

async function opened(name: string, nodes: number): Promise<Cluster> {
  const clock = { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 }
  const cluster = await Cluster.open({ nodes, name, clock, report: (where, error) => errors.push([where, error]) })
  await cluster.advance(30_000)
  return cluster
}

beforeAll(async () => {
  cluster = await opened('stories', 3)
  small = await opened('small', 1)
}, 60_000)

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  await small[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

test.each(stories)('takes the course here that it takes on a real cluster: $name', { timeout: 60_000 }, async (story) => {
  const file = new URL(`recorded/${story.name}.json`, import.meta.url)
  expect(existsSync(file), 'a recording by record.ts').toBe(true)
  const recorded = JSON.parse(await readFile(file, 'utf8')) as Recorded
  expect(await playStory(story, embeddedCluster(story.oneNode ? small : cluster))).toEqual(recorded)
})
