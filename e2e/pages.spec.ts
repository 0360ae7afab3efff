import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, type Visitor } from './support/test.ts'
import { locales, words } from './support/words.ts'

const sizes = [
  { name: 'wide', width: 1440, height: 900 },
  { name: 'narrow', width: 390, height: 844 },
]
const colours = ['light', 'dark'] as const
const lesson = 'probes/running-is-not-ready'

/** A page as it stands, in both widths and both colours: nothing that axe finds, and nothing that scrolls sideways. */
async function everyWay(page: Page, name: string, where = sizes): Promise<void> {
  for (const { name: size, ...viewport } of where) {
    await page.setViewportSize(viewport)
    for (const colorScheme of colours) {
      await page.emulateMedia({ colorScheme })
      const view = `${name} ${size} ${colorScheme}`
      await page.screenshot({ path: `test-results/eye/${view.replaceAll(' ', '-')}.png` })
      const axe = new AxeBuilder({ page })
      // The other colours change nothing but colours.
      if (colorScheme === 'dark') axe.withRules(['color-contrast', 'link-in-text-block'])
      const { violations } = await axe.analyze()
      expect
        .soft(
          violations.map(({ id, nodes }) => ({ id, at: nodes.map((node) => node.target.join(' ')).slice(0, 5) })),
          view,
        )
        .toEqual([])
    }
    const overhang = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect.soft(overhang, `${name} ${size}: scrolls sideways`).toBe(0)
  }
  await page.setViewportSize({ width: 1440, height: 900 })
}

async function handIn(learner: Visitor): Promise<string> {
  const attempt = await learner.start({ lab: 'readiness-gate' })
  return ((await learner.ask('POST', `/api/attempts/${attempt.id}/hand-in`)).body as { submission: string }).submission
}

for (const locale of locales) {
  const to = (path: string) => `/${locale}${path}`
  const open = async (page: Page, path: string, name: string) => {
    await page.goto(to(path))
    await everyWay(page, `${locale} ${name}`)
  }

  test(`pages for everybody can be read by all (${locale})`, async ({ browser, product }) => {
    test.setTimeout(180_000)
    const context = await browser.newContext({ baseURL: product.url, reducedMotion: 'reduce' })
    const page = await context.newPage()
    await open(page, '', 'course')
    await open(page, `/learn/${lesson}`, 'lesson')
    await open(page, '/labs/readiness-gate', 'door')
    await open(page, '/sign-in', 'sign-in')
    await open(page, '/sign-up', 'sign-up')
    await open(page, '/first-run#guess', 'first-run')
    await open(page, '/nowhere', 'not-found')
    await context.close()
  })

  test(`a learner's pages can be read by all (${locale})`, async ({ visit }) => {
    test.setTimeout(240_000)
    const learner = await visit()
    const { page } = learner
    const submission = await handIn(learner)
    await learner.start({ lesson })
    await open(page, '', 'course-going-on')
    await open(page, '/me', 'me')
    await open(page, '/account', 'account')
    await open(page, `/me/submissions/${submission}`, 'submission')
    await page.goto(to(`/learn/${lesson}`))
    await page.getByRole('button', { name: words[locale].bench.reopen }).click()
    const terminal = new TerminalPane(page)
    await terminal.ready()
    await terminal.type('kubectl get nodes; ls --color=always -la')
    await terminal.shows('.bashrc')
    await everyWay(page, `${locale} lesson-bench`)
  })

  test(`the workbench can be read by all (${locale})`, async ({ visit }) => {
    test.setTimeout(300_000)
    const learner = await visit()
    const { page } = learner
    await learner.start({ lab: 'readiness-gate' })
    await page.goto(to('/labs/readiness-gate'))
    const terminal = new TerminalPane(page)
    await terminal.ready()
    await expect(page.locator('#task-t1')).toHaveAttribute('data-state', 'not-yet')
    await page.locator('#task-t1 .hints button').click()
    await expect(page.locator('#task-t1 .hints p')).toHaveCount(1)
    await terminal.type('kubectl set image deployment/shop shop=labapp:none; kubectl get pods')
    await terminal.shows('Running')
    await everyWay(page, `${locale} lab`)
    const say = words[locale]
    await expect(terminal.panel.getByRole('textbox', { name: say.terminal.input })).toBeAttached()
    await page.getByRole('button', { name: say.cluster.asList }).click()
    await page.getByRole('button', { name: say.lab.handIn }).click()
    await everyWay(page, `${locale} hand-in`)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: say.clock.skip }).click()
    await expect(page.getByRole('menu')).toBeVisible()
    await everyWay(page, `${locale} clock`)
    await page.keyboard.press('Escape')
    for (const pane of ['terminal', 'tasks', 'cluster'] as const) {
      await page.setViewportSize(sizes[1]!)
      await page.getByRole('button', { name: say.lab[`pane-${pane}`] }).click()
      await everyWay(page, `${locale} lab-${pane}`, [sizes[1]!])
    }
  })

  test(`hosts with terminals of their own can be read by all (${locale})`, async ({ visit }) => {
    test.setTimeout(300_000)
    const learner = await visit()
    const { page } = learner
    const { engines } = (await learner.ask('GET', '/api/health')).body as {
      engines: Record<string, { capabilities: Record<string, true | { en: string }> }>
    }
    const has = engines['hosts']?.capabilities['node-shell']
    test.skip(has !== true, `hosts: ${has === undefined ? 'not among the engines' : has !== true && has.en}`)
    const say = words[locale]
    const terminal = new TerminalPane(page)
    const openBoth = async () => {
      await terminal.ready()
      await terminal.type('ip -br link; ip route')
      await terminal.shows('eth0')
      await page.getByRole('combobox', { name: say.terminal.openOnNode }).selectOption('worker2')
      await expect(page.getByRole('tab', { name: /worker2/ })).toHaveAttribute('aria-selected', 'true')
      await terminal.ready()
      await terminal.type('ping -c 2 worker')
      await terminal.shows('2 received')
    }

    await learner.start({ lesson: 'cni/bridge-and-veth' })
    await page.goto(to('/learn/cni/bridge-and-veth'))
    await page.getByRole('button', { name: say.bench.reopen }).click()
    await openBoth()
    await everyWay(page, `${locale} hosts-lesson`)

    await learner.start({ lab: 'netns-bridge' })
    await page.goto(to('/labs/netns-bridge'))
    await openBoth()
    await everyWay(page, `${locale} hosts-lab`)
    await page.setViewportSize(sizes[1]!)
    await page.getByRole('button', { name: say.lab['pane-terminal'] }).click()
    await everyWay(page, `${locale} hosts-lab-terminal`, [sizes[1]!])
  })

  test(`pages of instructors and administrators can be read by all (${locale})`, async ({ visit, office }) => {
    test.setTimeout(240_000)
    expect(office.email).toBeTruthy()
    const submission = await handIn(await visit())
    const { page, ask } = await visit({ as: 'administrator' })
    await ask('POST', `/api/submissions/${submission}/override`, { task: 't1', points: 2, reason: 'Half of it' })
    await ask('POST', `/api/submissions/${submission}/comments`, { text: 'Read the slices.' })
    await open(page, '/teach', 'teach')
    await open(page, `/teach/submissions/${submission}`, 'teach-submission')
    await open(page, '/admin', 'admin')
  })
}

test('a lab can be worked on by keyboard alone', async ({ visit }) => {
  const learner = await visit()
  const { page } = learner
  const say = words.en
  await learner.start({ lab: 'readiness-gate' })
  await page.goto('/en/labs/readiness-gate')
  const terminal = new TerminalPane(page)
  await terminal.ready()

  await tabTo(page, '.xterm-helper-textarea')
  await page.keyboard.type('echo typed $((20 + 3))')
  await page.keyboard.press('Enter')
  await terminal.shows('typed 23')
  // Tab belongs to the shell: it completes, and the terminal keeps the focus.
  await page.keyboard.type('kubectl get deployments.ap')
  await page.keyboard.press('Tab')
  await terminal.shows('kubectl get deployments.apps')
  await page.keyboard.press('Control+C')
  await page.keyboard.press('Control+Shift+L')
  await expect(page.getByRole('tab', { selected: true })).toBeFocused()

  await tabTo(page, '.workspace-bar .button-primary', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alertdialog', { name: say.lab.handInTitle })).toBeVisible()
  await expect(page.getByRole('button', { name: say.lab.cancel })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('alertdialog')).toHaveCount(0)
  await expect(page.locator('.workspace-bar .button-primary')).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/en/me/submissions/*')
  await expect(page.locator('.report-grade')).toBeVisible()
})

/** Presses a key until the element has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, selector: string, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  for (let pressed = 0; pressed < 80; pressed++) {
    if (await page.locator(selector).evaluateAll((found) => found.some((element) => element === document.activeElement))) return
    await page.keyboard.press(key)
  }
  throw new Error(`80 times ${key} did not lead to ${selector}`)
}
