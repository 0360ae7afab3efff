import { lab } from '../labs/readiness-gate/lab.ts'
import type { AttemptView } from '../platform/services.ts'
import { skipAhead } from './support/clock.ts'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, type Visitor } from './support/test.ts'
import { locales, words } from './support/words.ts'

const probe = `[{"op":"add","path":"/spec/template/spec/containers/0/readinessProbe","value":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":2}}]`

for (const locale of locales) {
  const say = words[locale]

  test(`the cluster's time is skipped, and terminal, tasks and evidence follow (${locale})`, async ({ visit }) => {
    test.setTimeout(360_000)
    const learner = await visit()
    const { page } = learner
    await learner.start({ lab: 'readiness-gate' })
    await page.goto(`/${locale}/labs/readiness-gate`)
    const terminal = new TerminalPane(page)
    const clock = page.locator('.cluster-clock')
    /** By the menu, so far. */
    let skips = 2
    await terminal.ready()

    await test.step('by keyboard', async () => {
      await clock.getByRole('button', { name: say.clock.skip }).focus()
      await page.keyboard.press('Enter')
      await expect(page.getByRole('menuitem').first()).toBeFocused()
      for (let item = 1; item <= 3; item++) {
        await page.keyboard.press('ArrowDown')
        await expect(page.getByRole('menuitem').nth(item)).toBeFocused()
      }
      await page.keyboard.press('Enter')
      await expect(clock.getByRole('status')).not.toBeEmpty({ timeout: 45_000 })
      await expect(clock.getByRole('button', { name: say.clock.skip })).toBeFocused()
      // ten minutes, told as far as they are ahead of the machine's clock: on a busy machine the cluster's was a moment behind it
      await expect(clock.locator('.label').first()).toContainText(/\b(9|10) (min|分)/)
      await page.screenshot({ path: `test-results/eye/clock-${locale}.png` })
    })

    await test.step('what is typed afterwards is in the new time', async () => {
      const pods = await terminal.run('kubectl get pods')
      expect(pods.output).toMatch(/shop-\S+ +1\/1 +Running +0 +1\dm/)
    })

    await test.step('to what happens next', async () => {
      await terminal.run('kubectl run later --image=busybox:1.36 --restart=Never -- sleep 240')
      await terminal.run('kubectl wait --for=condition=Ready pod/later')
      await skipAhead(page, locale, 'next')
      await expect(clock.getByRole('status')).toContainText(say.clock.happened.split('{time}')[1]!)
      const later = await terminal.run('kubectl get pod later')
      expect(later.output).toContain('Completed')
    })

    await test.step('it can be stopped', async () => {
      const stopped = new RegExp(`^${say.clock.stopped.replace('{time}', '.+')}$`)
      // an hour in which nothing happens is skipped in seconds: a slow browser may come too late with its Stop
      await expect(async () => {
        await clock.getByRole('button', { name: say.clock.skip }).click({ timeout: 45_000 })
        await page.getByRole('menuitem', { name: say.clock.toNext }).click({ timeout: 5_000 })
        skips++
        await clock.getByRole('button', { name: say.clock.stop }).click({ timeout: 2_000 })
        await expect(clock.getByRole('status')).toHaveText(stopped, { timeout: 10_000 })
      }).toPass({ timeout: 120_000 })
      await expect(clock.getByRole('button', { name: say.clock.skip })).toBeFocused()
    })

    await test.step('it is in the evidence, with who did what', async () => {
      await terminal.run('kubectl delete pod later')
      await page.getByRole('button', { name: say.lab.handIn }).click()
      await page.getByRole('alertdialog').getByRole('button', { name: say.lab.handIn }).click()
      await page.waitForURL(`**/${locale}/me/submissions/*`)
      const changes = page.getByRole('region', { name: say.submission.changes })
      await expect(changes.getByRole('row').filter({ hasText: say.submission.changeSKIPPED })).toHaveCount(skips)
      const audit = page.getByRole('region', { name: say.submission.audit })
      await expect(audit.getByRole('row')).toHaveCount(3)
      await audit.getByLabel(say.audit.verb).selectOption('delete')
      await expect(audit.getByRole('row')).toHaveCount(2)
      await expect(audit.getByRole('row').last()).toContainText('pods later')
      const recordings = '**/api/submissions/*/evidence/*'
      await page.route(recordings, (route) => route.abort())
      await audit.getByRole('link').click()
      await expect(page.getByText(say.submission.replayMomentFault)).toBeVisible()
      await page.unroute(recordings)
      await audit.getByRole('link').click()
      await expect(page.locator('.replay-player .ap-player')).toBeVisible()
      await expect(page.getByText(say.submission.replayMomentFault)).toBeHidden()
      await expect(page.locator('.replay-player')).toContainText('pod "later" deleted', { timeout: 20_000 })
      await page.screenshot({ path: `test-results/eye/audit-${locale}.png`, fullPage: true })
    })
  })

  test(`what a lab tries is tried on a copy, also when it is asked for (${locale})`, async ({ visit }) => {
    test.setTimeout(180_000)
    const learner = await visit()
    const { page } = learner
    await learner.start({ lab: 'readiness-gate' })
    await page.goto(`/${locale}/labs/readiness-gate`)
    const terminal = new TerminalPane(page)
    await terminal.ready()
    const trials = page.getByRole('region', { name: say.lab.trialsOnCopy })
    await expect(trials.getByRole('listitem')).toHaveText(Object.values(lab.provoke ?? {}).map(({ what }) => what[locale]))

    await terminal.run(`kubectl patch deployment shop --type=json -p '${probe}'`)
    await terminal.run('kubectl rollout status deployment/shop --timeout=90s', 100_000)
    await expect(page.locator('#task-t2')).toHaveAttribute('data-state', 'pass', { timeout: 60_000 })
    const pods = () => terminal.run('kubectl get pods -o name | sort')
    const before = await pods()
    // on a copy it takes no time to speak of: the answer waits until the page has been looked at
    const looked = Promise.withResolvers<void>()
    await page.route('**/trials', async (route) => {
      const answer = await route.fetch()
      await looked.promise
      await route.fulfill({ response: answer })
    })
    const judged = page.waitForResponse((answer) => answer.url().endsWith('/trials'))
    await trials.getByRole('button', { name: say.lab.tryAgain }).click()
    await expect(trials.getByRole('button', { name: say.lab.trying })).toBeDisabled()
    looked.resolve()
    expect((await judged).status()).toBe(204)
    await expect(trials.getByRole('button', { name: say.lab.tryAgain })).toBeEnabled()
    await expect(page.locator('#task-t2')).toHaveAttribute('data-state', 'pass')
    expect((await pods()).output).toBe(before.output)
  })

  test(`a learner gets more time, and a fresh cluster (${locale})`, async ({ visit }) => {
    test.setTimeout(180_000)
    const learner = await visit()
    const { page } = learner
    const attempt = await learner.start({ lab: 'readiness-gate' })
    const lease = async () => ((await learner.ask('GET', `/api/attempts/${attempt.id}`)).body as AttemptView).lease
    await page.goto(`/${locale}/labs/readiness-gate`)
    const terminal = new TerminalPane(page)
    await terminal.ready()

    await test.step('more time, as often as there is', async () => {
      const line = page.locator('.lease-line')
      const extend = line.getByRole('button', { name: say.lease.extend })
      for (let left = (await lease()).extensionsLeft; left > 0; left--) {
        const until = Date.parse((await lease()).expiresAt!)
        const minutes = Number(/\d+/.exec((await line.textContent()) ?? '')?.[0])
        await extend.click()
        await expect.poll(async () => (await lease()).extensionsLeft).toBe(left - 1)
        expect(Date.parse((await lease()).expiresAt!)).toBeGreaterThan(until)
        await expect.poll(async () => Number(/\d+/.exec((await line.textContent()) ?? '')?.[0])).toBeGreaterThan(minutes)
      }
      await expect(extend).toHaveCount(0)
    })

    await test.step('a fresh cluster, after asking', async () => {
      await terminal.run(`kubectl create configmap mine; kubectl patch deployment shop --type=json -p '${probe}'; touch ~/left-over`)
      await expect(page.locator('#task-t1')).toHaveAttribute('data-state', 'pass')
      await page.getByRole('button', { name: say.lab.reset, exact: true }).click()
      await page.getByRole('alertdialog').getByRole('button', { name: say.lab.cancel }).click()
      await expect(page.locator('#task-t1')).toHaveAttribute('data-state', 'pass')
      await page.getByRole('button', { name: say.lab.reset, exact: true }).click()
      await page.getByRole('alertdialog', { name: say.lab.resetTitle }).getByRole('button', { name: say.lab.reset }).click()
      await expect(page.locator('#task-t1')).toHaveAttribute('data-state', 'not-yet', { timeout: 60_000 })
      await terminal.ready()
      const { output } = await terminal.run('ls; kubectl get configmaps -o name')
      expect(output).not.toContain('mine')
      expect(output).not.toContain('left-over')
    })
  })
}

test('the clock is beside a lesson too', async ({ visit }) => {
  const learner: Visitor = await visit()
  const { page } = learner
  const lesson = 'probes/running-is-not-ready'
  await learner.start({ lesson })
  await page.goto(`/en/learn/${lesson}`)
  await page.getByRole('button', { name: words.en.bench.reopen }).click()
  await new TerminalPane(page).ready()
  await skipAhead(page, 'en', 5)
  await expect(page.locator('.cluster-clock .label').first()).toContainText(/\b(4|5) min/)
})

test('colours change at once, everywhere, when motion is not wanted', async ({ browser, product }) => {
  const context = await browser.newContext({ baseURL: product.url, reducedMotion: 'reduce', viewport: { width: 390, height: 844 } })
  const page = await context.newPage()
  await page.goto('/en')
  const colours = await page.evaluate(() => {
    const seen = (theme: string) => {
      document.documentElement.dataset['theme'] = theme
      const name = document.querySelector('.masthead-name span') as Element
      return [getComputedStyle(name).color, getComputedStyle(document.documentElement).color]
    }
    return ['light', 'dark', 'light'].map(seen)
  })
  for (const [name, page] of colours) expect(name).toBe(page)
  expect(new Set(colours.map(([name]) => name)).size).toBe(2)
  await context.close()
})
