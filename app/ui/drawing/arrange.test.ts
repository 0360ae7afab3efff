import { expect, it } from 'vitest'
import { arrange } from './arrange.ts'
import { clusterOf } from './cluster-of.ts'

const many = clusterOf({
  nodes: ['a', 'b', 'c'],
  pods: Array.from({ length: 14 }, (_, index) => ({
    name: `web-${index}`,
    ...(index < 12 ? { node: ['a', 'b', 'c'][index % 3]! } : {}),
    containers: [{ name: 'app', ready: index !== 4 }],
  })),
  services: [{ name: 'web', endpoints: ['web-0', 'web-4', 'nobody'] }],
})

it.each([320, 620, 900])('puts everything on a sheet %d wide, nothing over anything else', (width) => {
  const sheet = arrange(many, width)
  expect(sheet.pods).toHaveLength(14)
  for (const box of [...sheet.rooms, ...sheet.pods, ...sheet.services]) {
    expect(box.x).toBeGreaterThanOrEqual(0)
    expect(box.x + box.w).toBeLessThanOrEqual(width + 0.01)
    expect(box.y + box.h).toBeLessThanOrEqual(sheet.height)
  }
  for (const boxes of [sheet.rooms, sheet.pods, sheet.services])
    for (const [index, a] of boxes.entries())
      for (const b of boxes.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
        expect(apart).toBe(true)
      }
})

it('keeps each Pod inside the room of its node, and those without one in a room of their own', () => {
  const sheet = arrange(many, 620)
  for (const { pod, ...box } of sheet.pods) {
    const home = sheet.rooms.find((room) => (pod.node ? room.name === pod.node : room.kind === 'nowhere'))!
    expect(box.x >= home.x && box.y >= home.y && box.x + box.w <= home.x + home.w && box.y + box.h <= home.y + home.h).toBe(true)
  }
})

it('draws a line to every endpoint that is a Pod, and says which carry traffic', () => {
  expect(arrange(many, 620).lines.map(({ id, carries }) => [id, carries])).toEqual([
    ['web-web-0', true],
    ['web-web-4', false],
  ])
})
