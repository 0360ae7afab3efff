import { readdir, readFile, stat } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { WebSocket } from 'ws'
import { routes } from '../platform/routes.ts'
import type { AttemptView, SubmissionView } from '../platform/services.ts'
import { TerminalPane } from './support/terminal.ts'
import { expect, test, type Visitor } from './support/test.ts'

/** Everything of one learner that another could reach for. */
interface Belongings {
  owner: Visitor
  attempt: AttemptView
  terminal: string
  submission: SubmissionView
  digest: string
}

/** A learner who has handed in once and works on the lab again. */
async function settle(owner: Visitor): Promise<Belongings> {
  const first = await owner.start({ lab: 'readiness-gate' })
  const { submission: id } = (await owner.ask('POST', `/api/attempts/${first.id}/hand-in`)).body as { submission: string }
  const submission = (await owner.ask('GET', `/api/submissions/${id}`)).body as SubmissionView
  const attempt = await owner.start({ lab: 'readiness-gate' })
  const terminal = ((await owner.ask('POST', `/api/attempts/${attempt.id}/terminals`, { node: null })).body as { id: string }).id
  await owner.ask('PUT', '/api/progress/lessons', { lesson: 'probes/running-is-not-ready', done: true })
  return { owner, attempt, terminal, submission, digest: submission.evidence[0]!.digest }
}

/** For every route what another learner asks with the owner's ids, and the statuses that refuse. `own` answers with what is theirs. */
type Attack = { body?: unknown; refused: number[] } | { own: (answer: unknown) => void; body?: unknown } | 'open'
const refusedToOthers = [404]
const refusedToLearners = [403]
const attacks: Record<string, Attack> = {
  'GET /api/auth/[...all]': 'open',
  'POST /api/auth/[...all]': 'open',
  'GET /api/health': 'open',
  // This test runs on the machine itself, where whoever can log in may read them; through a proxy they are an administrator's.
  'GET /metrics': 'open',
  'POST /api/first-run': { body: { token: 'guessed' }, refused: [410] },
  'GET /api/people': { refused: refusedToLearners },
  'PATCH /api/people/[id]': { body: { role: 'learner' }, refused: refusedToLearners },
  'GET /api/progress': { own: (answer) => expect(JSON.stringify(answer)).not.toContain('running-is-not-ready') },
  'PUT /api/progress/lessons': { body: { lesson: 'probes/liveness', done: true }, own: () => {} },
  'PUT /api/progress/answers': {
    body: { lesson: 'probes/liveness', question: 'one', choice: 0, right: true },
    own: () => {},
  },
  'POST /api/attempts': { body: { lesson: 'probes/liveness' }, own: () => {} },
  'GET /api/attempts/[id]': { refused: refusedToOthers },
  'DELETE /api/attempts/[id]': { refused: refusedToOthers },
  'GET /api/attempts/[id]/events': { refused: refusedToOthers },
  'POST /api/attempts/[id]/reset': { refused: refusedToOthers },
  'POST /api/attempts/[id]/extend': { refused: refusedToOthers },
  'POST /api/attempts/[id]/skip-ahead': { body: { seconds: 60 }, refused: refusedToOthers },
  'DELETE /api/attempts/[id]/skip-ahead': { refused: refusedToOthers },
  'POST /api/attempts/[id]/hints': { body: { task: 't1' }, refused: refusedToOthers },
  'POST /api/attempts/[id]/hand-in': { refused: refusedToOthers },
  'POST /api/attempts/[id]/trials': { refused: refusedToOthers },
  'POST /api/attempts/[id]/terminals': { body: { node: null }, refused: refusedToOthers },
  'DELETE /api/attempts/[id]/terminals/[terminal]': { refused: refusedToOthers },
  'POST /api/attempts/[id]/terminals/[terminal]/ticket': { refused: refusedToOthers },
  'GET /api/labs/[slug]/submissions': { own: (answer) => expect(answer).toEqual([]) },
  'GET /api/submissions': { refused: refusedToLearners },
  'GET /api/submissions/[id]': { refused: refusedToOthers },
  'GET /api/submissions/[id]/evidence/[digest]': { refused: refusedToOthers },
  'POST /api/submissions/[id]/override': { body: { task: null, points: 10, reason: 'mine' }, refused: refusedToLearners },
  'POST /api/submissions/[id]/comments': { body: { text: 'mine' }, refused: refusedToLearners },
}

/** A route's path with the owner's names in it. */
function pathOf(route: string, { owner, attempt, terminal, submission, digest }: Belongings): string {
  const id = route.startsWith('/api/attempts') ? attempt.id : route.startsWith('/api/submissions') ? submission.id : owner.id
  return route.replace('[id]', id).replace('[terminal]', terminal).replace('[digest]', digest).replace('[slug]', 'readiness-gate')
}

test('every route refuses what is another learner’s', async ({ visit }) => {
  const hers = await settle(await visit())
  const other = await visit()
  const look = async () => {
    const { lease, ...attempt } = (await hers.owner.ask('GET', `/api/attempts/${hers.attempt.id}`)).body as AttemptView
    const submission = (await hers.owner.ask('GET', `/api/submissions/${hers.submission.id}`)).body
    return { lease: { state: lease.state, left: lease.extensionsLeft }, hints: attempt.hints, terminals: attempt.terminals, submission }
  }
  const before = await look()
  for (const { method, path: route } of routes.filter((each) => each.method !== 'WS')) {
    const name = `${method} ${route}`
    const attack = attacks[name]
    expect(attack, `${name} has no row in this test`).toBeDefined()
    if (!attack || attack === 'open') continue
    const { status, body } = await other.ask(method, pathOf(route, hers), attack.body)
    if ('refused' in attack) {
      expect(attack.refused, `${name} answers ${status}`).toContain(status)
      expect(JSON.stringify(body), name).not.toContain(hers.owner.email)
    } else {
      expect(status, name).toBeLessThan(300)
      attack.own(body)
    }
  }
  expect(await look()).toEqual(before)
})

test('every route but the open ones refuses a stranger', async ({ visit, request, product }) => {
  const hers = await settle(await visit())
  for (const { method, path: route } of routes.filter((each) => each.method !== 'WS')) {
    const attack = attacks[`${method} ${route}`]!
    if (attack === 'open') continue
    const answer = await request.fetch(`${product.url}${pathOf(route, hers)}`, {
      method,
      headers: { origin: product.url },
      ...(attack.body === undefined ? {} : { data: attack.body }),
    })
    expect(answer.status(), `${method} ${route}`).toBe(401)
  }
})

test('pages of another learner and of instructors lead nowhere', async ({ visit, product }) => {
  const hers = await settle(await visit())
  const other = await visit()
  for (const page of [
    `/en/me/submissions/${hers.submission.id}`,
    `/en/teach/submissions/${hers.submission.id}`,
    '/en/teach',
    '/zh/admin',
  ]) {
    const answer = await other.page.goto(page)
    expect(answer?.status(), page).toBe(404)
    expect(await other.page.locator('main').textContent(), page).not.toContain('10')
  }
  // The same address is another room for each: hers shows her lab at work, the other's the way in.
  await other.page.goto('/en/labs/readiness-gate')
  await expect(other.page.locator('.workspace')).toHaveCount(0)
  await expect(other.page.getByRole('button', { name: 'Start the lab' })).toBeVisible()
  await hers.owner.page.goto('/en/labs/readiness-gate')
  await expect(hers.owner.page.locator('.workspace')).toHaveCount(1)
  expect(product.log()).not.toContain('could not be answered')
})

interface Answer {
  status?: number
  messages: Record<string, unknown>[]
  closed: number | null
}

/**
 * Opens a terminal's socket, sends the messages and resolves with what came back once it is closed or `until` is seen; then
 * sends `last` and stays until the server has read it.
 */
function knock(url: string, headers: Record<string, string>, messages: unknown[], until?: string, last?: unknown): Promise<Answer> {
  const answer: Answer = { messages: [], closed: null }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/terminal`, { headers })
  return new Promise((resolve, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      resolve({ ...answer, status: response.statusCode! })
      socket.terminate()
    })
    socket.once('open', () => {
      for (const message of messages) socket.send(JSON.stringify(message))
    })
    socket.on('message', (data, binary) => {
      if (binary) return
      answer.messages.push(JSON.parse(String(data)))
      if (answer.messages.at(-1)!['type'] !== until) return
      if (last !== undefined) socket.send(JSON.stringify(last))
      // Its pong comes after everything that was sent before.
      socket.ping()
    })
    socket.once('pong', () => {
      resolve(answer)
      socket.close()
    })
    socket.once('close', (code) => resolve({ ...answer, closed: code }))
    socket.once('error', (error) => (answer.messages.length === 0 ? reject(error) : undefined))
  })
}

test('a terminal opens with a fresh ticket of its own, from this site, and with nothing else', async ({ visit, office, product }) => {
  const hers = await settle(await visit())
  const his = await settle(await visit())
  const { url } = product
  const own = { origin: url }
  const ticketOf = async (of: Belongings, by: Visitor = of.owner) =>
    ((await by.ask('POST', `/api/attempts/${of.attempt.id}/terminals/${of.terminal}/ticket`)).body as { ticket: string }).ticket
  const open = (ticket: string) => ({ type: 'open', ticket, cols: 80, rows: 24 })
  const tooOld = await ticketOf(hers)
  const issued = Date.now()

  await test.step('own', async () => {
    const ticket = await ticketOf(hers)
    const opened = await knock(url, own, [open(ticket)], 'ready')
    expect(opened.messages).toContainEqual(expect.objectContaining({ type: 'ready', terminal: hers.terminal, writer: true }))
    const again = await knock(url, own, [open(ticket)])
    expect(again).toMatchObject({ messages: [{ type: 'error' }], closed: 1008 })
  })
  await test.step('none, or a guess', async () => {
    expect(await knock(url, own, [{ type: 'input', data: 'id\r' }])).toMatchObject({ messages: [{ type: 'error' }], closed: 1008 })
    expect(await knock(url, own, [open('guess')])).toMatchObject({ messages: [{ type: 'error' }], closed: 1008 })
    expect(await knock(url, own, [open(hers.terminal)])).toMatchObject({ messages: [{ type: 'error' }], closed: 1008 })
  })
  await test.step('another’s', async () => {
    expect((await his.owner.ask('POST', `/api/attempts/${hers.attempt.id}/terminals/${hers.terminal}/ticket`)).status).toBe(404)
    // His attempt and her terminal: neither lets him in.
    expect((await his.owner.ask('POST', `/api/attempts/${his.attempt.id}/terminals/${hers.terminal}/ticket`)).status).toBe(404)
    expect((await his.owner.ask('DELETE', `/api/attempts/${his.attempt.id}/terminals/${hers.terminal}`)).status).toBe(404)
  })
  await test.step('from another site, or from none', async () => {
    const ticket = await ticketOf(hers)
    const cookies = (await hers.owner.context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
    for (const headers of [{ origin: 'http://attacker.example' }, { origin: 'null' }, {}] as Record<string, string>[])
      expect((await knock(url, { ...headers, cookie: cookies }, [open(ticket)])).status).toBe(403)
    expect((await knock(url, { ...own, host: 'attacker.example' }, [open(ticket)])).status).toBe(421)
    // None of them used it up.
    expect((await knock(url, own, [open(ticket)], 'ready')).messages).toContainEqual(expect.objectContaining({ type: 'ready' }))
  })
  await test.step('to watch, not to type', async () => {
    const instructor = await visit({ as: 'administrator' })
    expect(office.email).toBeTruthy()
    const ticket = await ticketOf(hers, instructor)
    const seen = await knock(url, own, [open(ticket)], 'screen')
    expect(seen.messages).toContainEqual(expect.objectContaining({ type: 'ready', writer: false }))
    expect(seen.messages).not.toContainEqual(expect.objectContaining({ writer: true }))
    await knock(url, own, [open(await ticketOf(hers, instructor))], 'screen', { type: 'input', data: 'echo typed-by-the-watcher\r' })
    await hers.owner.page.goto('/en/labs/readiness-gate')
    const terminal = new TerminalPane(hers.owner.page)
    await terminal.ready()
    expect(await terminal.text()).not.toContain('typed-by-the-watcher')
    expect((await terminal.run('history')).output).not.toContain('typed-by-the-watcher')
  })
  await test.step('too old', async () => {
    await expect.poll(() => Date.now() - issued, { timeout: 40_000, intervals: [1_000] }).toBeGreaterThan(31_000)
    expect(await knock(url, own, [open(tooOld)])).toMatchObject({ messages: [{ type: 'error' }], closed: 1008 })
  })
})

test('from inside a shell nothing of the other learner or of the machine can be reached', async ({ visit, product }) => {
  test.setTimeout(180_000)
  const [hers, his] = [await settle(await visit()), await settle(await visit())]
  const [her, him] = [new TerminalPane(hers.owner.page), new TerminalPane(his.owner.page)]
  for (const each of [hers, his]) await each.owner.page.goto('/en/labs/readiness-gate')
  await her.ready()
  await him.ready()
  const token = `secret-${hers.attempt.id}`
  expect((await her.run(`echo ${token} > ~/diary; kubectl create configmap diary --from-literal=text=${token}`)).code).toBe(0)
  await her.type('sleep 98765 &')
  const refuses = async (command: string, reason?: RegExp) => {
    const { output, code } = await him.run(command)
    expect(code, `${command}\n${output}`).not.toBe(0)
    expect(output).not.toContain(token)
    if (reason) expect(output).toMatch(reason)
  }

  await test.step('files', async () => {
    await refuses(`ls ${product.dataDir}`, /No such file/)
    await refuses(`ls ${path.resolve(import.meta.dirname, '..')}`, /No such file/)
    await refuses('grep -rs secret- /home /tmp /var /run /etc /opt /root /srv /mnt')
    await refuses('touch /usr/mine /etc/mine /opt/labernetes/bin/mine', /Read-only|Permission denied/)
    await refuses('cat /etc/shadow')
    expect((await him.run('id -u; env')).output).not.toMatch(/^0$|DATABASE_URL|SECRET|DATA_DIR/m)
  })
  await test.step('processes', async () => {
    // The pattern does not find itself.
    expect((await him.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 9876[5]'")).output.trim()).toBe('0')
    expect((await him.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'server/main[.]ts'")).output.trim()).toBe('0')
    await refuses(`kill -0 ${product.pid}`)
    const server = await readFile(`/proc/${product.pid}/environ`, 'utf8')
    expect(server).toContain('DATA_DIR=')
    await refuses("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep DATA_DIR")
  })
  await test.step('network', async () => {
    const port = new URL(product.url).port
    // curl is there, and the one thing it may reach answers.
    expect((await him.run('curl -sk https://127.0.0.1:6443/version')).output).toContain('gitVersion')
    const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((each) => each.address))
    for (const address of addresses.filter((each) => !each.includes(':'))) await refuses(`curl -sm2 http://${address}:${port}/api/health`)
    await refuses('curl -sm2 http://169.254.169.254/')
    await refuses('(exec 3<>/dev/tcp/127.0.0.1/5432)')
    await refuses('curl -sm2 http://[fe80::1%25lo]/')
    // His own cluster's addresses are on the loopback; the bridge is where what nobody has is lost.
    const devices = (await him.run('ls /sys/class/net 2>/dev/null || cut -d: -f1 /proc/net/dev | tail -n +3')).output
    expect(devices.split(/\s+/).filter((device) => device && device !== 'br-kind')).toEqual(['lo'])
    for (const address of ['172.18.0.1', '10.244.0.1', '10.96.0.1']) await refuses(`curl -sm2 http://${address}:${port}/api/health`)
    await refuses('ip link add mine type dummy')
    await refuses('ip addr add 172.18.0.77/16 dev br-kind')
    const sockets = await newestSockets(tmpdir(), 12)
    expect(sockets.length).toBeGreaterThanOrEqual(4)
    for (const socket of sockets) await refuses(`curl -sm2 --unix-socket ${socket} https://localhost/version`)
  })
  await test.step('cluster', async () => {
    expect((await him.run('kubectl get configmaps -A')).output).not.toContain('diary')
    const configs = (await findFiles(product.dataDir)).filter((file) => file.endsWith('.kube/config'))
    const texts = await Promise.all(configs.map((file) => readFile(file, 'utf8')))
    expect(texts.length).toBeGreaterThanOrEqual(2)
    let tried = 0
    const mine = (await him.run("kubectl config view --raw -o jsonpath='{.users[0].user.client-certificate-data}' | md5sum")).output
    for (const [index, text] of texts.entries()) {
      await him.paste(`cat > other-${index} <<'END'\n${text.trimEnd()}\nEND\n`)
      const same = (
        await him.run(
          `kubectl --kubeconfig other-${index} config view --raw -o jsonpath='{.users[0].user.client-certificate-data}' | md5sum`,
        )
      ).output
      if (same.trim() === mine.trim()) continue
      await refuses(`kubectl --kubeconfig other-${index} get configmap diary`, /certificate signed by unknown authority|Unauthorized/)
      // Taking his own API server for hers, with her certificate.
      await refuses(
        `grep -v certificate-authority other-${index} > bare; kubectl --kubeconfig bare --insecure-skip-tls-verify get configmap diary`,
        /Unauthorized|must be logged in|provide credentials/,
      )
      tried++
    }
    expect(tried).toBe(texts.length - 1)
  })
  await test.step('from inside a Pod', async () => {
    const port = new URL(product.url).port
    await him.run('kubectl rollout status deployment/shop --timeout=60s', 70_000)
    expect((await him.run('kubectl exec deploy/shop -- curl -sm2 http://127.0.0.1:8080/healthz')).code).toBe(0)
    await refuses(`kubectl exec deploy/shop -- curl -sm2 http://127.0.0.1:${port}/api/health`)
    await refuses('kubectl exec deploy/shop -- curl -sm2 http://169.254.169.254/')
    await refuses(`kubectl exec deploy/shop -- ls ${product.dataDir}`)
    await refuses(`kubectl exec deploy/shop -- cat /proc/${product.pid}/environ`)
  })
})

/** Unix sockets of clusters, those of other servers' folders that were left behind among them. */
async function newestSockets(folder: string, count: number): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('labernetes-'))
  const files = await Promise.all(names.map((name) => findFiles(path.join(folder, name))))
  const found = await Promise.all(
    files
      .flat()
      .filter((file) => /\.(sock|door)$/.test(file))
      .map(async (file) => ({ file, time: (await stat(file)).mtimeMs })),
  )
  return found
    .sort((a, b) => b.time - a.time)
    .slice(0, count)
    .map(({ file }) => file)
}

async function findFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => path.join(entry.parentPath, entry.name))
}
