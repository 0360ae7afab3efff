import { expect, test } from 'vitest'
import { ClusterClock } from '../clock.ts'
import type { Event } from '../schema/types/core.v1.ts'
import type { Client } from './context.ts'
import { createEventRecorder } from './events.ts'

test('a flood about one object is cut at 25 events of each type', async () => {
  const { record, counts } = recorder()
  for (let n = 0; n < 15; n++) record('Normal', `Normal${n}`)
  for (let n = 0; n < 40; n++) record('Warning', `Warning${n % 5}`)
  expect(await counts()).toEqual({ Normal: 15, Warning: 25 })
})

test('a cut flood goes on with one event each five minutes', async () => {
  const { record, counts, clock } = recorder()
  for (let n = 0; n < 30; n++) record('Warning', `Reason${n}`)
  await clock.advance(300_000)
  for (let n = 0; n < 3; n++) record('Warning', `Later${n}`)
  expect(await counts()).toEqual({ Warning: 26 })
})

/** A recorder whose events are only counted: by type, repetitions included. */
function recorder() {
  const clock = new ClusterClock({ start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 })
  const written = new Map<string, Event>()
  const client = {
    create: async (_resource: unknown, event: Event) => void written.set(event.metadata.name ?? '', event),
    patch: async (_resource: unknown, name: string, patch: Partial<Event>) =>
      void written.set(name, { ...(written.get(name) as Event), ...patch }),
  } as unknown as Client
  let chance = 0
  const errors: unknown[] = []
  const events = createEventRecorder({
    clock,
    random: () => (chance++ % 1000) / 1000,
    clientOf: () => client,
    report: (_where, error) => errors.push(error),
  })
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u' } }
  return {
    clock,
    record: (type: 'Normal' | 'Warning', reason: string) => events.event(pod, type, reason, `about ${reason}`, { component: 'kubelet' }),
    async counts() {
      await new Promise((resolve) => setImmediate(resolve))
      expect(errors).toEqual([])
      const counts: Record<string, number> = {}
      for (const { type = '', count = 0 } of written.values()) counts[type] = (counts[type] ?? 0) + count
      return counts
    },
  }
}
