import { describe, expect, it } from 'vitest'
import { type Action, actions, decide } from './authorise.ts'
import type { Person, Role } from './services.ts'

type Who = 'nobody' | 'guest' | 'learner' | 'instructor' | 'admin'
const everybody: Who[] = ['nobody', 'guest', 'learner', 'instructor', 'admin']

/**
 * Who may do what, written out: with a thing of their own, and with another's. This repeats nothing of authorise.ts: it is
 * the other half of a pair that must agree.
 */
const may: Record<Action, { own: Who[]; others: Who[] }> = {
  'site.read': { own: everybody, others: everybody },
  'health.read': { own: everybody, others: everybody },
  'account.use': { own: everybody, others: everybody },
  'metrics.read': { own: ['admin'], others: ['admin'] },
  'first-run.claim': { own: ['learner', 'instructor', 'admin'], others: ['learner', 'instructor', 'admin'] },
  'people.list': { own: ['admin'], others: ['admin'] },
  'people.set-role': { own: ['admin'], others: ['admin'] },
  'progress.read': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'progress.write': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'attempt.start': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'attempt.read': { own: ['guest', 'learner', 'instructor', 'admin'], others: ['instructor', 'admin'] },
  'attempt.change': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'attempt.hand-in': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'terminal.open': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'terminal.write': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'terminal.watch': { own: ['guest', 'learner', 'instructor', 'admin'], others: ['instructor', 'admin'] },
  'submission.list': { own: ['instructor', 'admin'], others: ['instructor', 'admin'] },
  'submission.list-own': { own: ['guest', 'learner', 'instructor', 'admin'], others: [] },
  'submission.read': { own: ['guest', 'learner', 'instructor', 'admin'], others: ['instructor', 'admin'] },
  'submission.grade': { own: ['instructor', 'admin'], others: ['instructor', 'admin'] },
  'submission.comment': { own: ['instructor', 'admin'], others: ['instructor', 'admin'] },
}

function personAs(who: Who): Person | null {
  if (who === 'nobody') return null
  const role: Role = who === 'guest' ? 'learner' : who
  return { id: 'me', name: 'Me', email: null, role, guest: who === 'guest' }
}

describe.each(actions)('%s', (action) => {
  it.each(everybody)('by %s', (who) => {
    const person = personAs(who)
    const allowed = (owner: string) => decide(person, action, { owner }).allow
    expect({ own: allowed('me'), others: allowed('another') }).toEqual({
      own: may[action].own.includes(who),
      others: may[action].others.includes(who),
    })
  })
})

it('a guest has no role, whatever is written in their row', () => {
  const guest: Person = { id: 'me', name: 'Guest', email: null, role: 'admin', guest: true }
  for (const action of ['people.list', 'people.set-role', 'submission.list', 'submission.grade', 'metrics.read'] as const)
    expect(decide(guest, action)).toEqual({ allow: false, reason: 'forbidden' })
})

it('what belongs to another learner looks as if it did not exist', () => {
  expect(decide(personAs('learner'), 'attempt.read', { owner: 'another' })).toEqual({ allow: false, reason: 'not-found' })
  expect(decide(personAs('learner'), 'attempt.change', { owner: 'another' })).toEqual({ allow: false, reason: 'not-found' })
})

it('metrics are shown to the machine itself', () => {
  expect(decide(null, 'metrics.read', { local: true }).allow).toBe(true)
  expect(decide(personAs('instructor'), 'metrics.read', { local: false }).allow).toBe(false)
})
