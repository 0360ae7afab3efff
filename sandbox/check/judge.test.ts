import { expect, test } from 'vitest'
import { judge } from './judge.ts'
import { defineLab, type Evidence, pass } from './kit.ts'

const said = (text: string) => ({ en: text, zh: text })
const nothing: Evidence = { time: 1, startedAt: 0, objects: {}, changes: {}, commands: {}, network: {}, access: {}, provoked: {} }

test('a judge that throws is marked as such, told of, and leaves the other checks alone', () => {
  const fault = new Error('there is no such field')
  const lab = defineLab({
    slug: 'broken',
    minutes: 5,
    needs: ['api'],
    collect: {},
    tasks: [
      {
        id: 't1',
        criteria: [
          { id: 'good', points: 1, label: said('good'), why: said('why'), judge: () => pass() },
          {
            id: 'bad',
            points: 2,
            label: said('bad'),
            why: said('why'),
            judge: () => {
              throw fault
            },
          },
        ],
      },
    ],
  })
  const faults: unknown[] = []
  const { verdict } = judge(lab, nothing, (told) => faults.push(told))
  expect(faults).toEqual([{ criterion: 't1/bad', error: fault }])
  expect(verdict).toMatchObject({ points: 1, maxPoints: 3 })
  const [good, bad] = verdict.tasks[0]!.criteria
  expect(good).toMatchObject({ state: 'pass', points: 1 })
  expect(good).not.toHaveProperty('faulty')
  expect(bad).toMatchObject({ state: 'waiting', points: 0, faulty: true, observed: { en: expect.stringContaining('instructor sees it') } })
})
