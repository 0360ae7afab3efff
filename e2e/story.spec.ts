import { lab } from '../labs/readiness-gate/lab.ts'
import { skipAhead } from './support/clock.ts'
import { newDataDir, removeDataDir, startProduct } from './support/product.ts'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, Visitors } from './support/test.ts'
import { type Locale, locales, words } from './support/words.ts'

const probe = (kind: string, handler: string) =>
  `kubectl patch deployment shop --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/${kind}","value":${handler}}]'`
const wrongFix = probe('livenessProbe', '{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":5,"initialDelaySeconds":20}')
const rightFix = probe('readinessProbe', '{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":2}')

/** What the check says of the wrong fix. */
const onlyLiveness: Record<Locale, string> = { en: 'only a liveness probe', zh: '只有存活探针' }

for (const locale of locales)
  test(`a learner finishes a readiness lab and an instructor grades it (${locale})`, async ({ browser }) => {
    test.setTimeout(240_000)
    const dataDir = await newDataDir()
    const product = await startProduct(dataDir)
    const visitors = new Visitors(browser, product.url)
    const say = words[locale]
    const probeCheck = lab.tasks[0]!.criteria[0]!

    const learner = await visitors.stranger({ viewport: { width: 1440, height: 900 } })
    const terminal = new TerminalPane(learner)
    const task = (id: string) => learner.locator(`#task-${id}`)
    const pods = (tone: string) => learner.locator(`.drawing-sheet:visible .d-pod[data-tone="${tone}"]:not([data-leaving])`)

    await test.step('a guest comes in from the lesson and runs a command of its text', async () => {
      await learner.goto(`/${locale}`)
      await learner.goto(`/${locale}/learn/probes/running-is-not-ready`)
      await learner.getByRole('button', { name: say.bench.open }).click()
      await learner.getByRole('button', { name: say.sign.guest }).click()
      await learner.waitForURL('**/learn/probes/running-is-not-ready')
      await learner.getByRole('button', { name: say.bench.open }).click()
      await terminal.ready()
      await learner.locator('.run button').first().click()
      await terminal.shows('deployment.apps/orders created')
      // Running, and nobody listens: what the lesson is about, on the learner's own cluster.
      await terminal.shows(/orders-\S+ +1\/1 +Running/, 30_000)
      await terminal.shows(/refused\s+command terminated with exit code 1/)
      await learner.screenshot({ path: `test-results/eye/story-lesson-${locale}.png` })
    })

    await test.step('starts the lab', async () => {
      await learner.locator('.lab-link').first().click()
      await learner.getByRole('button', { name: say.lab.start }).click()
      await terminal.ready()
      for (const id of ['t1', 't2', 't3']) await expect(task(id)).toHaveAttribute('data-state', 'not-yet')
      await expect(learner.locator('.drawing-sheet:visible .d-pod')).toHaveCount(3)
    })

    await test.step('a wrong fix is told apart, and why', async () => {
      await terminal.type(wrongFix)
      await terminal.shows('deployment.apps/shop patched')
      const criterion = task('t1').locator('.criterion').first()
      await expect(criterion.locator('[data-observed]')).toContainText(onlyLiveness[locale])
      await expect(criterion.locator('.against')).toContainText('path: /ready')
      await expect(criterion.locator('.criterion-why')).toContainText(probeCheck.why[locale].slice(0, 20))
      await expect(task('t1')).toHaveAttribute('data-state', 'not-yet')
      await learner.screenshot({ path: `test-results/eye/story-wrong-${locale}.png` })
    })

    await test.step('the right fix turns its tasks green without a reload', async () => {
      await terminal.type(rightFix)
      await expect(task('t1')).toHaveAttribute('data-state', 'pass')
      await expect(pods('waiting').first()).toBeVisible()
      await learner.screenshot({ path: `test-results/eye/story-rollout-${locale}.png` })
      await skipAhead(learner, locale, 1)
      await expect(task('t2')).toHaveAttribute('data-state', 'pass', { timeout: 60_000 })
      await expect(learner.locator('.workspace-points')).toContainText('7')
    })

    await test.step('a reload changes nothing', async () => {
      await terminal.type('seq -f "line %g" 200')
      await terminal.shows(/line 200\n.*\$$/)
      const before = await terminal.lines()
      await learner.reload()
      await expect.poll(() => terminal.lines()).toEqual(before)
      await terminal.scrollsBackTo('deployment.apps/shop patched')
      for (const id of ['t1', 't2']) await expect(task(id)).toHaveAttribute('data-state', 'pass')
    })

    await test.step('a Pod is taken out, and is seen to be', async () => {
      await skipAhead(learner, locale, 1)
      await terminal.type('clear; kubectl rollout status deployment/shop --timeout=90s')
      await terminal.shows('successfully rolled out', 90_000)
      await expect(pods('ready')).toHaveCount(3)
      await terminal.type(`kubectl exec "$(kubectl get pods -l app=shop -o name | head -n 1)" -- rm /tmp/ready`)
      await expect(pods('waiting')).toHaveCount(1)
      await expect(pods('ready')).toHaveCount(2)
      await expect(learner.locator('.drawing-sheet:visible .d-line[data-carries="true"]')).toHaveCount(2)
      await expect(task('t3')).toHaveAttribute('data-state', 'pass')
      await learner.screenshot({ path: `test-results/eye/story-done-${locale}.png` })
    })

    await test.step('hands in', async () => {
      await learner.getByRole('button', { name: say.lab.handIn }).click()
      await learner.getByRole('alertdialog').getByRole('button', { name: say.lab.handIn }).click()
      await learner.waitForURL(`**/${locale}/me/submissions/*`)
      await expect(learner.locator('.report-grade')).toContainText('10')
    })
    const submission = learner.url().split('/').at(-1)!

    const teacher = await visitors.stranger({ viewport: { width: 1440, height: 900 } })
    await test.step('the printed link makes the first instructor', async () => {
      const link = new URL(product.firstRunLink!)
      await teacher.goto(`/${locale}${link.pathname}${link.hash}`)
      await teacher.getByLabel(say.sign.name).fill('Ada Berg')
      await teacher.getByLabel(say.sign.email).fill('ada@example.org')
      await teacher.getByLabel(say.sign.password).fill('a password for Ada')
      await teacher.locator('form button[type=submit]').click()
      await teacher.getByRole('button', { name: say.firstRun.claim.replace('{name}', 'Ada Berg') }).click()
      await teacher.waitForURL(`**/${locale}/teach`)
    })

    await test.step('opens the submission, replays it, overrides and comments', async () => {
      await teacher.locator(`a[href$="${submission}"]`).first().click()
      await expect(teacher.locator('.report-grade')).toContainText('10')
      await teacher.locator('.replay-choice button').last().click()
      await expect(teacher.locator('.replay-player')).toContainText('kubectl patch deployment shop', { timeout: 30_000 })
      await teacher.screenshot({ path: `test-results/eye/story-grade-${locale}.png`, fullPage: true })
      const whole = teacher.locator('section[aria-labelledby=grade] details')
      await whole.locator('summary').click()
      await whole.getByLabel(say.grade.points).fill('8')
      await whole.getByLabel(say.grade.reason).fill('The first try was a guess.')
      await whole.getByRole('button', { name: say.grade.save }).click()
      await expect(teacher.locator('.report-grade strong')).toHaveText('8')
      await teacher.getByLabel(say.grade.comment).fill('Well read: the slices say it first.')
      await teacher.getByRole('button', { name: say.grade.send }).click()
      await expect(teacher.locator('.comment')).toContainText('Well read')
    })

    await test.step('the learner sees grade and comment', async () => {
      await learner.reload()
      await expect(learner.locator('.report-grade strong')).toHaveText('8')
      await expect(learner.locator('.override')).toContainText('The first try was a guess.')
      await expect(learner.locator('.comment')).toContainText('Well read: the slices say it first.')
      await learner.screenshot({ path: `test-results/eye/story-graded-${locale}.png`, fullPage: true })
    })

    await visitors.leave(true)
    await product[Symbol.asyncDispose]()
    await removeDataDir(dataDir)
  })
