import type { Page } from '@playwright/test'
import { familyOf } from './support/product.ts'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, type Visitor } from './support/test.ts'
import { words } from './support/words.ts'

const say = words.en.terminal
/** Bytes. */
const mebibyte = 2 ** 20

/** A learner in front of the free cluster beside a lesson. */
async function atTheBench(
  visit: (options?: object) => Promise<Visitor>,
): Promise<{ page: Page; terminal: TerminalPane; visitor: Visitor }> {
  const visitor = await visit()
  const { page } = visitor
  await visitor.start({ lesson: 'probes/running-is-not-ready' })
  await page.goto('/en/learn/probes/running-is-not-ready')
  await page.getByRole('button', { name: words.en.bench.reopen }).click()
  const terminal = new TerminalPane(page)
  await terminal.ready()
  return { page, terminal, visitor }
}

const tabs = (page: Page) => page.getByRole('tablist', { name: say.tabs }).getByRole('tab')

async function newTab(page: Page, terminal: TerminalPane): Promise<void> {
  const before = await tabs(page).count()
  await page.getByRole('button', { name: say.open }).click()
  await expect(tabs(page)).toHaveCount(before + 1)
  await expect(tabs(page).last()).toHaveAttribute('aria-selected', 'true')
  await terminal.ready()
}

/** Does something at the beginning of the last place where the terminal shows a text. */
async function at(page: Page, terminal: TerminalPane, text: string, act: (x: number, y: number) => Promise<void>): Promise<void> {
  const box = (await terminal.rows.getByText(text, { exact: true }).last().boundingBox())!
  const [x, y] = [box.x + 20, box.y + box.height / 2]
  // What lies there is looked for when the pointer comes over it.
  await page.mouse.move(x - 2, y)
  await page.mouse.move(x, y)
  await act(x, y)
}

test('tabs are shells of their own on one machine', async ({ visit }) => {
  const { page, terminal } = await atTheBench(visit)
  await terminal.run('where=first; echo shared > ~/file')
  await newTab(page, terminal)
  expect((await terminal.run('where=second; cat ~/file')).output).toContain('shared')
  await tabs(page).first().click()
  expect((await terminal.run('echo "this is $where"')).output).toContain('this is first')
  await tabs(page).last().click()
  await terminal.type('exit')
  await expect(tabs(page)).toHaveCount(1)
  await newTab(page, terminal)
  await page.getByRole('button', { name: say.close.replace('{title}', 'Terminal 3') }).click()
  await expect(tabs(page)).toHaveCount(1)
  expect((await terminal.run('echo "still $where"')).output).toContain('still first')
})

test('the shell has the size of the window', async ({ visit }) => {
  const { page, terminal } = await atTheBench(visit)
  const size = async () => (await terminal.run('stty size')).output.trim()
  const drawn = () => terminal.rows.count()
  const wide = await size()
  expect(Number(wide.split(' ')[0])).toBe(await drawn())
  await page.setViewportSize({ width: 1100, height: 620 })
  await expect.poll(drawn).toBeLessThan(Number(wide.split(' ')[0]))
  const narrow = await size()
  expect(Number(narrow.split(' ')[0])).toBe(await drawn())
  expect(Number(narrow.split(' ')[1])).toBeLessThan(Number(wide.split(' ')[1]))
  // A line as wide as the screen fills one row, one more character makes it two.
  const columns = Number(narrow.split(' ')[1])
  expect((await terminal.run(`printf 'x%.0s' $(seq ${columns + 1})`)).output.trim().split('\n')).toEqual(['x'.repeat(columns), 'x'])
})

test('colours, links and the clipboard work', async ({ visit }) => {
  const { page, terminal, visitor } = await atTheBench(visit)
  await terminal.run(String.raw`printf '\e[48;5;21mblue\e[0m \e[48;2;1;120;3mgreen\e[0m \e[7;1mloud\e[0m\n'`)
  const background = (text: string) =>
    terminal.rows
      .locator('span')
      .filter({ hasText: text })
      .last()
      .evaluate((element) => getComputedStyle(element).backgroundColor)
  expect(await background('blue')).toBe('rgb(0, 0, 255)')
  expect(await background('green')).toBe('rgb(1, 120, 3)')
  expect((await terminal.run('tput colors; echo $TERM')).output).toContain('256\nxterm-256color')

  await visitor.context.route('https://lesson.example/', (route) => route.fulfill({ body: 'a page elsewhere' }))
  await terminal.run('echo https://lesson.example/')
  const popup = page.waitForEvent('popup', { timeout: 15_000 })
  await at(page, terminal, 'https://lesson.example/', (x, y) => page.mouse.click(x, y))
  await (await popup).waitForURL('https://lesson.example/')
  await (await popup).close()

  await terminal.run('echo copied-text')
  await at(page, terminal, 'copied-text', (x, y) => page.mouse.dblclick(x, y))
  await page.keyboard.press('Control+Shift+C')
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/^(copied-text|copied)$/)
  await page.evaluate(() => navigator.clipboard.writeText('echo pasted $((6 * 7))'))
  await terminal.focus()
  await page.keyboard.press('Control+Shift+V')
  await terminal.shows('$ echo pasted $((6 * 7))')
  await page.keyboard.press('Enter')
  await terminal.shows('\npasted 42')
})

test('a reload brings the same screen back', async ({ visit }) => {
  const { page, terminal } = await atTheBench(visit)
  await terminal.type('seq -f "old %g" 300')
  await terminal.shows('old 300')
  await terminal.type(String.raw`printf '\e[1;31mred\e[0m \e[4;38;5;33mblue\e[0m 中文 \e[3mslanted\e[0m\n'; sleep 9876`)
  await terminal.shows('slanted\n')
  const look = () => terminal.rows.evaluateAll((rows) => rows.map((row) => row.innerHTML))
  await terminal.focus()
  const before = await look()
  await page.reload()
  await terminal.shows('slanted\n')
  await terminal.focus()
  await expect.poll(look).toEqual(before)
  await terminal.scrollsBackTo('old 7\n')
  // It is the same shell, too: what ran in it runs on.
  await terminal.focus()
  await page.keyboard.press('Control+C')
  expect((await terminal.run('fc -ln -1')).output).toContain('sleep 9876')
})

test('a flood in one tab leaves the other, the site and the memory alone', async ({ visit, product }) => {
  const { page, terminal, visitor } = await atTheBench(visit)
  let received = 0
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => (received += payload.length)))
  await newTab(page, terminal)
  const memory = async () => (await familyOf(product.pid)).find(({ pid }) => pid === product.pid)!.resident
  const flooded = async () => {
    const from = received
    await expect.poll(() => received - from, { timeout: 60_000 }).toBeGreaterThan(4 * mebibyte)
  }
  await terminal.type('yes "$(seq -s, 200)"')
  await flooded()
  const early = await memory()
  await tabs(page).first().click()
  expect((await terminal.run('kubectl get nodes')).output).toContain('labernetes-control-plane')
  expect((await visitor.ask('GET', '/api/health')).status).toBe(200)
  await flooded()
  await flooded()
  expect(((await memory()) - early) / mebibyte).toBeLessThan(150)
  await tabs(page).last().click()
  await terminal.focus()
  await page.keyboard.press('Control+C')
  await terminal.shows(/\$$/)
  expect((await terminal.run('echo and calm again')).output).toContain('and calm again')
})

test('kubectl completes, execs, copies, follows and forwards', async ({ visit }) => {
  test.setTimeout(180_000)
  const { page, terminal } = await atTheBench(visit)
  await terminal.run('kubectl create deployment web --image=nginx:1.27 && kubectl rollout status deployment/web', 60_000)

  await test.step('completion by Tab', async () => {
    await terminal.run('true')
    await terminal.focus()
    await page.keyboard.type('kubectl get deployments.ap')
    await page.keyboard.press('Tab')
    await terminal.shows('kubectl get deployments.apps')
    await page.keyboard.type('w')
    await page.keyboard.press('Tab')
    await terminal.shows('kubectl get deployments.apps web')
    await page.keyboard.press('Enter')
    await terminal.shows(/web +1\/1 +1 +1/)
  })

  await test.step('exec -it', async () => {
    await terminal.type('clear; kubectl exec -it deploy/web -- bash')
    await terminal.shows(/root@web-\S+:\/#$/m)
    await terminal.type('echo "inside $((40 + 2))" > /tmp/said; cat /tmp/said; tty')
    await terminal.shows('inside 42')
    await terminal.type('exit 3')
    await terminal.shows('exit code 3')
  })

  await test.step('cp', async () => {
    const copied = await terminal.run(
      'pod=$(kubectl get pods -l app=web -o name | cut -d/ -f2); kubectl cp $pod:/tmp/said ./said && echo back >> said && kubectl cp ./said $pod:/tmp/again && kubectl exec $pod -- cat /tmp/again',
    )
    expect(copied).toMatchObject({ code: 0, output: expect.stringMatching(/inside 42\nback/) })
  })

  await test.step('port-forward and logs -f', async () => {
    await terminal.type('clear; kubectl port-forward deploy/web 8080:80')
    await terminal.shows('Forwarding from 127.0.0.1:8080 -> 80')
    await newTab(page, terminal)
    expect((await terminal.run('curl -s http://127.0.0.1:8080/ | head -n 4')).output).toContain('Welcome to nginx!')
    await terminal.type('clear; kubectl logs -f deploy/web')
    await terminal.shows('"GET / HTTP/1.1" 200')
    await newTab(page, terminal)
    await terminal.run('curl -s http://127.0.0.1:8080/followed')
    await tabs(page).nth(1).click()
    await terminal.shows('GET /followed HTTP/1.1" 404')
    await terminal.focus()
    await page.keyboard.press('Control+C')
    await tabs(page).first().click()
    await terminal.shows('Handling connection for 8080')
    await terminal.focus()
    await page.keyboard.press('Control+C')
    expect((await terminal.run('curl -sm2 http://127.0.0.1:8080/')).code).toBe(7)
  })
})
