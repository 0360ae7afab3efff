import { skipAhead } from './support/clock.ts'
import { familyOf, newDataDir, processes, removeDataDir, startProduct } from './support/product.ts'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, Visitors } from './support/test.ts'
import { words } from './support/words.ts'

const say = words.en
const probe = `[{"op":"add","path":"/spec/template/spec/containers/0/readinessProbe","value":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":2}}]`

test('a server that is killed in the middle of a lab goes on where it was', async ({ browser }) => {
  test.setTimeout(240_000)
  const dataDir = await newDataDir()
  const first = await startProduct(dataDir)
  const visitors = new Visitors(browser, first.url)
  const learner = await visitors.visit()
  const { page } = learner
  const attempt = await learner.start({ lab: 'readiness-gate' })
  await page.goto('/en/labs/readiness-gate')
  const terminal = new TerminalPane(page)
  const task = (id: string) => page.locator(`#task-${id}`)
  await terminal.ready()
  await terminal.type('echo "written before" > ~/note')
  await terminal.type(`kubectl patch deployment shop --type=json -p '${probe}'`)
  await expect(task('t1')).toHaveAttribute('data-state', 'pass')
  await task('t3').getByRole('button').click()
  await expect(task('t3').locator('.hints p')).toHaveCount(1)
  const hint = await task('t3').locator('.hints p').textContent()
  const before = (await learner.ask('GET', `/api/attempts/${attempt.id}`)).body

  const family = await familyOf(first.pid)
  expect(family.filter(({ command }) => /\bbash\b/.test(command)).length, 'shells of the server').toBeGreaterThan(0)
  expect(family.filter(({ command }) => command.includes('process.ts')).length, 'cluster processes of the server').toBeGreaterThan(0)
  // The write is acknowledged when kubectl says so; nothing is given time to settle after that.
  await terminal.type('kubectl create configmap crash --from-literal=kept=yes')
  await terminal.shows('configmap/crash created')
  visitors.forgiving = true
  await first.kill()

  await test.step('nothing of the old server lives on', async () => {
    const alive = async () => {
      const now = await processes()
      return family.filter((old) => now.some((each) => each.pid === old.pid && each.command === old.command)).map(({ command }) => command)
    }
    await expect.poll(alive).toEqual([])
  })
  await expect(page.getByText(say.terminal.lost)).toBeVisible()

  await using second = await startProduct(dataDir, Number(new URL(first.url).port))
  expect(second.url).toBe(first.url)

  await test.step('the open page finds everything again by itself', async () => {
    await terminal.shows('configmap/crash created', 30_000)
    await terminal.shows('Labernetes was restarted')
    await terminal.ready()
    await expect(page.locator('.workspace-points')).not.toContainText(say.lab.offline, { timeout: 30_000 })
    await expect(task('t1')).toHaveAttribute('data-state', 'pass')
    const after = (await learner.ask('GET', `/api/attempts/${attempt.id}`)).body
    expect(after).toMatchObject(
      JSON.parse(JSON.stringify(before, ['id', 'lab', 'owner', 'hints', 't3', 'terminals', 'title', 'startedAt'])),
    )
    visitors.forgiving = false
    await page.reload()
    await expect(task('t3').locator('.hints p')).toHaveText(hint!)
    await terminal.ready()
    expect((await terminal.run('cat ~/note')).output).toContain('written before')
    expect((await terminal.run("kubectl get configmap crash -o jsonpath='{.data.kept}'")).output).toContain('yes')
    expect((await terminal.run("kubectl get deployment shop -o jsonpath='{..readinessProbe.httpGet.path}'")).output).toContain('/ready')
  })

  await test.step('and the lab can be finished', async () => {
    await skipAhead(page, 'en', 1)
    const rollout = await terminal.run('kubectl rollout status deployment/shop --timeout=90s', 100_000)
    expect(rollout).toMatchObject({ code: 0, output: expect.stringContaining('successfully rolled out') })
    const taken = await terminal.run('kubectl exec "$(kubectl get pods -l app=shop -o name | head -n 1)" -- rm /tmp/ready')
    expect(taken.code).toBe(0)
    for (const id of ['t1', 't2', 't3']) await expect(task(id)).toHaveAttribute('data-state', 'pass', { timeout: 60_000 })
    const { status, body } = await learner.ask('POST', `/api/attempts/${attempt.id}/hand-in`)
    expect(status).toBe(200)
    const { submission } = body as { submission: string }
    await page.goto(`/en/me/submissions/${submission}`)
    await expect(page.locator('.report-grade strong')).toHaveText('10')
  })
  await visitors.leave(true)
  await second[Symbol.asyncDispose]()
  await removeDataDir(dataDir)
})
