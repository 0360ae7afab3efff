import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ForkedSandbox, Sandbox, WatchEvent, WatchedObject } from '../engine.ts'
import { afterProvoking, defineLab, pass, verbatim } from './kit.ts'
import { Observer } from './observer.ts'

const deployments = { group: 'apps', version: 'v1', resource: 'deployments' } as const
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'observer-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

/** A cluster of one Deployment at the border to the engine. */
function cluster() {
  let tell: (event: WatchEvent) => void = () => undefined
  let revision = 0
  const fork: ForkedSandbox = {
    api: async () => ({ status: 200, body: {} }),
    execInPod: async () => ({ exitCode: 0, stdout: '', stderr: '' }),
    now: async () => 0,
    advance: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const sandbox = {
    now: async () => 0,
    fork: async () => fork,
    watch: async (_selector, onEvent) => {
      tell = onEvent
    },
  } as Pick<Sandbox, 'now' | 'fork' | 'watch'> as Sandbox
  const change = (replicas: number, ready: number) => {
    const metadata = { name: 'web', uid: 'one', resourceVersion: String(++revision) }
    const object: WatchedObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas }, status: { ready } }
    tell({ type: 'MODIFIED', object, time: 0 })
  }
  return { sandbox, change }
}

test('a provocation runs again when its basis changes, not whenever anything does, and always at the end', async () => {
  let runs = 0
  const specOf = (objects: readonly WatchedObject[] | undefined) => objects?.[0]?.['spec']
  const lab = defineLab({
    slug: 'probe',
    minutes: 1,
    needs: [],
    collect: { deployments: { kind: 'objects', selector: deployments } },
    provoke: {
      restart: {
        what: verbatim('restarts'),
        after: ['deployments'],
        when: (evidence) => specOf(evidence.objects['deployments']) !== undefined,
        basis: (evidence) => specOf(evidence.objects['deployments']),
        run: async () => ++runs,
      },
    },
    tasks: [
      {
        id: 't1',
        criteria: [
          {
            id: 'runs',
            points: 1,
            label: verbatim('runs'),
            why: verbatim('why'),
            judge: (evidence) => afterProvoking<number>(evidence, 'restart', verbatim('a run'), (seen) => pass(verbatim(`run ${seen}`))),
          },
        ],
      },
    ],
  })
  const { sandbox, change } = cluster()
  const told: (string | undefined)[] = []
  await using observer = await Observer.start({
    sandbox,
    lab,
    startedAt: 0,
    changesFile: join(folder, 'changes.jsonl'),
    onVerdict: ({ tasks }) => told.push(tasks[0]?.criteria[0]?.observed?.en),
    onFault: (fault) => {
      throw new Error(JSON.stringify(fault))
    },
  })
  expect(told).toEqual(['about to be tried on a copy of your cluster'])
  change(3, 0)
  await until(() => told.at(-1) === 'run 1')
  change(3, 3)
  const before = told.length
  change(4, 3)
  await until(() => told.at(-1) === 'run 2')
  expect(told.slice(before)).toEqual(['about to be tried on a copy of your cluster', 'run 2'])
  change(4, 4)
  await new Promise((resolve) => setTimeout(resolve, 500)) // longer than the calm that a provocation waits for
  expect(runs).toBe(2)
  const { verdict } = await observer.conclude()
  expect([runs, verdict.points]).toEqual([3, 1])
})

test('what was seen before a crash is evidence after it, and so is what comes next', async () => {
  const lab = defineLab({
    slug: 'history',
    minutes: 1,
    needs: [],
    collect: { deployments: { kind: 'objects', selector: deployments, history: true } },
    tasks: [{ id: 't1', criteria: [{ id: 'any', points: 1, label: verbatim('any'), why: verbatim('why'), judge: () => pass() }] }],
  })
  const changesFile = join(folder, 'changes.jsonl')
  const { sandbox, change } = cluster()
  const start = () =>
    Observer.start({
      sandbox,
      lab,
      startedAt: 0,
      changesFile,
      onVerdict: () => undefined,
      onFault: (fault) => {
        throw new Error(JSON.stringify(fault))
      },
    })
  for (const replicas of [1, 2]) {
    await using _observer = await start()
    change(replicas, 0)
  }
  await appendFile(changesFile, '["deployments",{"time":1,"ty')
  {
    await using _observer = await start()
    change(3, 0)
  }
  await using observer = await start()
  const { evidence } = await observer.conclude()
  expect(evidence.changes['deployments']?.map(({ object }) => (object['spec'] as { replicas: number }).replicas)).toEqual([1, 2, 3])
})

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 30))
  expect(condition()).toBe(true)
}
