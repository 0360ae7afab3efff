import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { newDataDir, removeDataDir, startProduct } from './support/product.ts'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, Visitors } from './support/test.ts'
import { words } from './support/words.ts'

const say = words.en
const run = promisify(execFile)

/** What the product is told of this machine's Docker: the same as this process was. */
const ofKind = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => name === 'DOCKER_HOST' || name === 'DOCKER_CONTEXT' || name.startsWith('KIND_')),
) as Record<string, string>

test('a lab on a real kind cluster: chosen, watched starting, reloaded, survived a kill, handed in, gone', async ({ browser }) => {
  test.setTimeout(900_000)
  const dataDir = await newDataDir()
  const first = await startProduct(dataDir, 0, ofKind)
  const capability = async () => {
    const { engines } = (await (await fetch(`${first.url}/api/health`)).json()) as {
      engines: Record<string, { capabilities: Record<string, true | { en: string }> }>
    }
    const has = engines['kind']?.capabilities['terminal']
    return has === true || (has?.en ?? 'it is not among the engines')
  }
  // the toolbox image is built at the first start
  await expect.poll(async () => String(await capability()), { timeout: 300_000, intervals: [2_000] }).not.toMatch(/is being built/)
  const missing = await capability()
  if (missing !== true) {
    await first[Symbol.asyncDispose]()
    await removeDataDir(dataDir)
  }
  test.skip(missing !== true, `kind: ${missing}`)
  const owner = (await readFile(path.join(dataDir, 'kind', 'owner'), 'utf8')).trim()
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => removeDataDir(dataDir))
  cleanup.defer(() => removeAll(owner))
  cleanup.defer(() => first.kill())
  const visitors = new Visitors(browser, first.url)
  const learner = await visitors.visit()
  const { page } = learner
  const terminal = new TerminalPane(page)
  const task = (id: string) => page.locator(`#task-${id}`)

  await test.step('the learner asks for kind and sees it being made', async () => {
    await page.goto('/en/labs/team-readers')
    await page.getByRole('radio', { name: say.lab['engine-kind'] }).check()
    await page.getByRole('button', { name: say.lab.start }).click()
    await expect(page.locator('.lease-wait .label')).toContainText(`${say.lease['on-kind']} · `, { timeout: 60_000 })
    await expect(page.locator('.lease-wait .label')).toContainText(say.lease['step-control plane'], { timeout: 120_000 })
    await expect(page.locator('.lease-line')).toContainText(say.lease['on-kind'], { timeout: 300_000 })
    await terminal.ready()
    expect((await terminal.run('kubectl get nodes', 30_000)).output).toContain('labernetes-control-plane')
    expect((await terminal.run('id -un; cat /sys/class/net/eth0/operstate')).output).toContain('learner\nup')
  })

  const ticks = async () => {
    const text = (await terminal.rows.allTextContents()).join('\n')
    return [...text.matchAll(/tick-(\d+)/g)].map((match) => Number(match[1]))
  }
  const inStep = (numbers: number[]) => numbers.every((number, index) => index === 0 || number === numbers[index - 1]! + 1)

  await test.step('a reload finds the screen and the program that runs', async () => {
    await terminal.type(String.raw`clear; printf '\e[32mgreen\e[0m\n'; n=0; while sleep 0.5; do n=$((n + 1)); echo "tick-$n"; done`)
    await terminal.shows('tick-3')
    await page.reload()
    await terminal.shows('green')
    await expect.poll(async () => (await ticks()).at(-1) ?? 0).toBeGreaterThan(5)
    expect(inStep(await ticks())).toBe(true)
  })

  visitors.forgiving = true
  await first.kill()
  await expect(page.getByText(say.terminal.lost)).toBeVisible()
  await using second = await startProduct(dataDir, Number(new URL(first.url).port), ofKind)

  await test.step('so does a server that was killed: the program never stopped, and nothing that it wrote is missing', async () => {
    const before = (await ticks()).at(-1)!
    await expect.poll(async () => (await ticks()).at(-1) ?? 0, { timeout: 90_000 }).toBeGreaterThan(before + 5)
    expect(inStep(await ticks())).toBe(true)
    expect(await terminal.rows.allTextContents()).not.toContain('Labernetes was restarted')
    visitors.forgiving = false
    await terminal.focus()
    await page.keyboard.press('Control+C')
    expect((await terminal.run('echo "n is still $n"')).output).toMatch(/n is still \d+/)
  })

  await test.step('the lab is done and handed in', async () => {
    const done = async (command: string) => expect(await terminal.run(command, 60_000)).toMatchObject({ code: 0 })
    await done('kubectl create clusterrole pod-reader --verb=get,list,watch --resource=pods')
    const add = `[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["pods/log"],"verbs":["get"]}}]`
    await done(`kubectl patch clusterrole pod-reader --type=json -p '${add}'`)
    for (const team of ['red', 'blue'])
      await done(`kubectl create rolebinding pod-readers -n ${team} --clusterrole=pod-reader --group=${team}`)
    for (const id of ['t1', 't2', 't3']) await expect(task(id)).toHaveAttribute('data-state', 'pass', { timeout: 60_000 })
    await page.getByRole('button', { name: say.lab.handIn, exact: true }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: say.lab.handIn, exact: true }).click()
    await expect(page.locator('.report-grade strong')).toHaveText('10', { timeout: 60_000 })
    await expect(page.locator('main')).toContainText(/kind \d/)
  })

  await test.step('and nothing of it is left in Docker', async () => {
    await expect.poll(() => containersOf(owner), { timeout: 60_000 }).toEqual([])
  })
  await visitors.leave(true)
  await second[Symbol.asyncDispose]()
})

async function docker(...argv: string[]): Promise<string[]> {
  const { stdout } = await run('docker', argv)
  return stdout.split('\n').filter(Boolean)
}

function containersOf(owner: string): Promise<string[]> {
  return docker('ps', '--all', '--quiet', '--filter', `label=labernetes.owner=${owner}`)
}

/** What a test that failed in the middle leaves in Docker. */
async function removeAll(owner: string): Promise<void> {
  const containers = await containersOf(owner)
  if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers)
  for (const kind of ['network', 'volume', 'image']) {
    const names = await docker(kind, 'ls', '--quiet', '--filter', `label=labernetes.owner=${owner}`)
    // the server may be at it as well
    if (names.length > 0) await docker(kind, 'rm', ...names).catch((error: Error) => console.log(error.message))
  }
}
