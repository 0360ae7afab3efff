import { expect, test } from 'vitest'
import { WorkQueue } from './queue.ts'
import { MemoryCluster } from './testing/memory.ts'

test('a key that rests is worked on once when its rest is over, others meanwhile', async () => {
  const cluster = new MemoryCluster()
  const start = cluster.clock.now()
  const worked: [string, number][] = []
  using queue: WorkQueue = new WorkQueue(
    cluster,
    async (key) => {
      worked.push([key, cluster.clock.now() - start])
      if (key === 'big') queue.pause(key, 100)
    },
    { name: 'test' },
  )
  queue.add('big')
  await cluster.settle(10)
  for (let change = 0; change < 5; change++) {
    queue.add('big')
    queue.add('small')
    await cluster.settle(10)
  }
  await cluster.settle(1000)
  const small = worked.filter(([key]) => key === 'small')
  expect(small.length).toBe(5)
  expect(worked.filter(([key]) => key === 'big')).toEqual([
    ['big', 0],
    ['big', 100],
  ])
})
