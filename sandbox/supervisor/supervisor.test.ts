import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Evidence, Verdict } from '../check/kit.ts'
import { EmbeddedEngine } from '../embedded/engine/engine.ts'
import type { AuditedRequest, Snapshot } from '../engine.ts'
import { prepareTools } from '../terminal/tools.ts'
import type { LoggedChange } from './change-log.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Piece } from './evidence.ts'
import { type Lab, loadLabs } from './labs.ts'
import { type Report, Supervisor } from './supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'supervisor-test-'))
const faults: string[] = []
let labs: Map<string, Lab>
let tools: string
let supervisor: Supervisor

const begin = async () =>
  new Supervisor({
    engines: [
      await EmbeddedEngine.start({
        dir: join(folder, 'sandboxes'),
        tools,
        processes: 1,
        allowNoJail: true,
        onFault: (fault) => faults.push(fault),
      }),
    ],
    labs,
    dir: join(folder, 'attempts'),
    version: '0',
    onFault: (where, error) => faults.push(`${where}: ${error}`),
  })

beforeAll(async () => {
  tools = (await prepareTools(join(import.meta.dirname, '../../.cache'))).folder
  labs = await loadLabs(join(import.meta.dirname, '../../labs'))
  supervisor = await begin()
})

afterAll(async () => {
  await supervisor[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const start = async (lease: string, lab: string | null) => {
  const reports: Report[] = []
  const started = await supervisor.start({ lease, lab }, (report) => reports.push(report), new AbortController().signal)
  return { started, reports, verdict: () => reports.filter((report) => report.type === 'verdict').at(-1)?.verdict }
}

const stateOf = (verdict: Verdict | undefined, task: string) => verdict?.tasks.find((one) => one.id === task)?.state

/** What a learner would type, in a terminal of the sandbox. */
async function type(lease: string, command: string): Promise<void> {
  const { id } = await supervisor.openTerminal(lease, null)
  const session = await supervisor.session(lease, id, 'en')
  using seat = session.attach({
    wantsToWrite: true,
    language: 'en',
    screen: () => undefined,
    output: () => undefined,
    exit: () => undefined,
    writer: () => undefined,
  })
  seat.input(`${command}; exit\r`)
  await until(async () => !(await supervisor.terminals(lease)).some((terminal) => terminal.id === id))
}

test('a lab is judged from its start, again when something changes, and is handed in with its evidence', async () => {
  const { started, verdict, reports } = await start('lab', 'readiness-gate')
  // No terminal can be opened on a node of an embedded cluster, so none is offered.
  expect(started).toEqual({ engine: 'embedded', nodes: [] })
  await until(() => stateOf(verdict(), 't1') === 'not-yet')
  const patch = `[{"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe", "value": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2}}]`
  await type('lab', `kubectl patch deployment shop --type=json -p '${patch}'; kubectl create secret generic pin --from-literal=code=4711`)
  await until(() => stateOf(verdict(), 't1') === 'pass')
  await until(() => stateOf(verdict(), 't2') === 'pass')
  expect(stateOf(verdict(), 't3')).toBe('not-yet')
  expect(reports.some((report) => report.type === 'active')).toBe(true)

  const view = await supervisor.clusterView('lab')
  expect(view.services).toMatchObject([{ name: 'shop', type: 'ClusterIP' }])
  expect(view.pods.length).toBeGreaterThanOrEqual(3)
  expect(view.pods[0]?.owner).toBe('Deployment/shop')

  const { verdict: last, versions, pieces } = await supervisor.handIn('lab')
  expect(stateOf(last, 't1')).toBe('pass')
  expect(versions).toMatchObject({
    engine: 'embedded 0',
    kubernetes: expect.stringMatching(/^v1\.34/),
    lab: expect.stringMatching(/^sha256:/),
  })
  const read = reader(pieces)
  const changes = read('changes.json') as LoggedChange[]
  expect(
    changes.some((change) => change.type === 'MODIFIED' && change.object.kind === 'Deployment' && change.object.metadata.name === 'shop'),
  ).toBe(true)
  expect((read('evidence.json') as Evidence).provoked['rollout']).toMatchObject({ ok: true, seen: { early: [], finished: true } })
  expect((read('verdicts.json') as Verdict[]).length).toBeGreaterThan(1)
  expect((read('snapshot.json') as Snapshot).objects.length).toBeGreaterThan(50)
  const whole = pieces.map((piece) => Buffer.from(piece.bytes).toString()).join('')
  expect(whole).not.toContain(Buffer.from('4711').toString('base64'))
  expect(pieces.find((piece) => piece.kind === 'recording')?.bytes.length).toBeGreaterThan(200)
  await supervisor.end('lab')
  expect(readdirSync(join(folder, 'attempts'))).toEqual([])
})

test('skipped time is shown as it goes, kept with the changes and marked in the recording', async () => {
  const { verdict, reports } = await start('skipped', 'readiness-gate')
  await until(() => stateOf(verdict(), 't1') === 'not-yet')
  await supervisor.openTerminal('skipped', null)
  const told = () => reports.flatMap((report) => (report.type === 'time' ? [report.time] : []))
  const before = await supervisor.clusterTime('skipped')
  expect(before).toMatchObject({ skip: 'yes', skipping: null })
  expect(Math.abs(before.ahead)).toBeLessThan(60_000)

  const skipped = await supervisor.skipAhead('skipped', 600, new AbortController().signal)
  expect(skipped.end).toBe('reached')
  expect(skipped.to - skipped.from).toBeGreaterThanOrEqual(600_000)
  expect(told()[0]?.skipping?.to).toBe((told()[0]?.skipping?.from ?? 0) + 600_000)
  expect(told().at(-1)).toMatchObject({ skipping: null })
  expect((await supervisor.clusterTime('skipped')).ahead - before.ahead).toBeGreaterThan(500_000)

  const { pieces, verdict: last } = await supervisor.handIn('skipped')
  expect(last.time).toBeGreaterThanOrEqual(skipped.to)
  const changes = reader(pieces)('changes.json') as LoggedChange[]
  expect(changes.filter(({ type: what }) => what === 'SKIPPED')).toMatchObject([{ time: skipped.from, to: skipped.to }])
  const recording = Buffer.from(pieces.find((piece) => piece.kind === 'recording')?.bytes ?? '').toString()
  expect(recording).toMatch(/"m","10 min.* were skipped: in the cluster it is/)
  await supervisor.end('skipped')
})

test('time is skipped to what happens next, or until it is stopped', async () => {
  await start('next', null)
  await type('next', 'kubectl run later --image=busybox:1.36 --restart=Never -- sh -c "sleep 300"')
  await until(async () => (await supervisor.clusterView('next')).pods[0]?.status === 'Running')
  const skipped = await supervisor.skipAhead('next', null, new AbortController().signal)
  expect(skipped.end).toBe('happened')
  expect(skipped.to - skipped.from).toBeGreaterThan(200_000)
  expect(skipped.to - skipped.from).toBeLessThan(310_000)
  expect((await supervisor.clusterView('next')).pods[0]?.status).toBe('Completed')

  const stop = new AbortController()
  stop.abort()
  const { from, to, end } = await supervisor.skipAhead('next', 600, stop.signal)
  expect({ end, skipped: to - from }).toEqual({ end: 'stopped', skipped: 0 })
  await supervisor.end('next')
})

test('a lab may forbid that time is skipped', async () => {
  const lab = labs.get('readiness-gate') as Lab
  labs.set('in-real-time', { ...lab, definition: { ...lab.definition, skipAhead: false } })
  await start('real', 'in-real-time')
  expect(await supervisor.clusterTime('real')).toMatchObject({ skip: 'forbidden' })
  await expect(supervisor.skipAhead('real', 60, new AbortController().signal)).rejects.toThrow('Time cannot be skipped here')
  await supervisor.end('real')
})

test('who asked the API for what is handed in, with the moment in the recording and without what was sent', async () => {
  await start('audited', 'readiness-gate')
  await type('audited', 'kubectl create secret generic pin --from-literal=code=4711; kubectl delete deployment nothing')
  await supervisor.skipAhead('audited', 600, new AbortController().signal)
  await type('audited', 'kubectl exec deploy/shop -- cat /etc/hostname; kubectl get pods --as=nobody')
  const { pieces } = await supervisor.handIn('audited')
  const audit = reader(pieces)('audit.json') as (AuditedRequest & { at: number })[]
  expect(audit.map(({ verb, resource, name, namespace, code }) => [verb, resource, namespace, name, code])).toEqual([
    ['create', 'secrets', 'default', 'pin', 201],
    ['delete', 'deployments', 'default', 'nothing', 404],
    ['get', 'pods/exec', 'default', expect.stringMatching(/^shop-/), expect.any(Number)],
    ['list', 'pods', 'default', null, 403],
  ])
  expect(audit[0]).toMatchObject({ user: 'kubernetes-admin', agent: expect.stringMatching(/^kubectl\//) })
  expect(audit[3]?.user).toBe('nobody')
  expect(JSON.stringify(audit)).not.toContain('4711')
  // ten minutes apart in the cluster, seconds apart for whoever sat there
  const [first, , , last] = audit
  expect((last?.time ?? 0) - (first?.time ?? 0)).toBeGreaterThan(600_000)
  expect((last?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(120_000)
  await supervisor.end('audited')
})

test('what the watchdog kills is told in the terminal', async () => {
  await start('greedy', null)
  const { id } = await supervisor.openTerminal('greedy', null)
  const session = await supervisor.session('greedy', id, 'zh')
  let text = ''
  using seat = session.attach({
    wantsToWrite: true,
    language: 'zh',
    screen: () => undefined,
    output: (seq, bytes) => {
      text += Buffer.from(bytes)
      // the first may come while it takes its seat
      queueMicrotask(() => seat.ack(seq + bytes.length))
    },
    exit: () => undefined,
    writer: () => undefined,
  })
  seat.resize(100, 24)
  seat.input(`perl -e '$x = "x" x 850_000_000; sleep 100'\r`)
  await until(() => text.includes('有一个进程被终止：所有终端合计最多使用 768 MiB 内存'))
  await supervisor.end('greedy')
}, 120_000)

test('a reset is a fresh cluster under the same lease', async () => {
  await start('again', null)
  await type('again', 'kubectl create configmap mine; touch ~/left-over')
  await supervisor.reset('again')
  const { id } = await supervisor.openTerminal('again', null)
  const session = await supervisor.session('again', id, 'en')
  let text = ''
  using seat = session.attach({
    wantsToWrite: true,
    language: 'en',
    screen: () => undefined,
    output: (_, bytes) => {
      text += Buffer.from(bytes)
    },
    exit: () => undefined,
    writer: () => undefined,
  })
  seat.input('ls; kubectl get cm -o name; echo done-$((1+1))\r')
  await until(() => text.includes('done-2'))
  expect(text).not.toContain('configmap/mine')
  expect(text).not.toMatch(/^left-over/m)
  await supervisor.end('again')
})

test('the drawing follows the cluster', async () => {
  await start('drawn', null)
  const views: ClusterView[] = []
  const abort = new AbortController()
  await supervisor.watchCluster('drawn', (view) => views.push(view), abort.signal)
  expect(views.at(-1)?.pods).toEqual([])
  await type('drawn', 'kubectl run web --image=nginx:1.27')
  await until(() => views.at(-1)?.pods[0]?.ready === true)
  expect(views.map((view) => view.pods[0]?.status)).toContain('ContainerCreating')
  abort.abort()
  await supervisor.end('drawn')
})

test('the next process brings back what has an order, with verdict and screen, and removes the rest', async () => {
  await start('kept', 'readiness-gate')
  await start('orphan', null)
  const { id } = await supervisor.openTerminal('kept', null)
  const session = await supervisor.session('kept', id, 'en')
  let text = ''
  {
    using seat = session.attach({
      wantsToWrite: true,
      language: 'en',
      screen: () => undefined,
      output: (_, bytes) => {
        text += Buffer.from(bytes)
      },
      exit: () => undefined,
      writer: () => undefined,
    })
    seat.input('kubectl create configmap mine; echo before-the-restart > ~/note; cat ~/note\r')
    await until(() => text.includes('before-the-restart\r\n'))
  }
  await supervisor[Symbol.asyncDispose]()
  supervisor = await begin()
  const reports: Report[] = []
  const found = await supervisor.adopt(
    [
      { lease: 'kept', lab: 'readiness-gate' },
      { lease: 'never', lab: null },
    ],
    () => (report) => reports.push(report),
  )
  expect([...found.keys()]).toEqual(['kept'])
  await until(() => reports.some((report) => report.type === 'verdict'))
  let screen = ''
  using seat = (await supervisor.session('kept', id, 'en')).attach({
    wantsToWrite: true,
    language: 'en',
    screen: ({ bytes }) => {
      screen += Buffer.from(bytes)
    },
    output: (_, bytes) => {
      screen += Buffer.from(bytes)
    },
    exit: () => undefined,
    writer: () => undefined,
  })
  expect(screen).toContain('before-the-restart')
  seat.input('cat ~/note; kubectl get configmap mine -o name\r')
  await until(() => screen.includes('configmap/mine'))
  expect(readdirSync(join(folder, 'sandboxes'))).toEqual(['kept'])
  await supervisor.end('kept')
})

test('a sandbox that another version stored is not brought back by halves: it is lost, and says why', async () => {
  await start('older', null)
  await supervisor[Symbol.asyncDispose]()
  const file = join(folder, 'attempts', 'older', 'state.json')
  const { storageFormat, ...kept } = JSON.parse(readFileSync(file, 'utf8')) as { storageFormat: number }
  expect(storageFormat).toBeGreaterThan(1)
  writeFileSync(file, JSON.stringify(kept))
  supervisor = await begin()
  const reports: Report[] = []
  const found = await supervisor.adopt([{ lease: 'older', lab: null }], () => (report) => reports.push(report))
  expect([...found.keys()]).toEqual([])
  expect(reports).toEqual([{ type: 'lost', reason: { en: expect.stringContaining('upgraded'), zh: expect.stringContaining('升级') } }])
  expect([...readdirSync(join(folder, 'sandboxes')), ...readdirSync(join(folder, 'attempts'))]).toEqual([])
})

test('what cannot be is refused with a sentence', async () => {
  await expect(supervisor.start({ lease: 'x', lab: 'nowhere' }, () => undefined, new AbortController().signal)).rejects.toThrow(
    'There is no lab nowhere',
  )
  await expect(supervisor.openTerminal('nobody', null)).rejects.toThrow('This sandbox does not run')
  expect(faults.filter((fault) => fault.includes('cannot be observed'))).toEqual([])
})

function reader(pieces: readonly Piece[]): (name: string) => unknown {
  return (name) => JSON.parse(Buffer.from(pieces.find((piece) => piece.name === name)?.bytes ?? '').toString())
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(await condition()).toBe(true)
}
