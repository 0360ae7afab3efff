import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Language } from '../text.ts'
import { window } from './protocol.ts'
import { type Seat, TerminalSession, type Viewer } from './session.ts'
import { openToolbox, type Toolbox } from './toolbox.ts'
import { prepareTools } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'session-test-'))
let toolbox: Toolbox

beforeAll(async () => {
  const tools = await prepareTools(join(import.meta.dirname, '../../.cache'))
  toolbox = await openToolbox({
    home: join(folder, 'home'),
    tools: tools.folder,
    apiSocket: join(folder, 'none.sock'),
    kubeconfig: async () => '',
  })
})

afterAll(async () => {
  await toolbox?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const faults: unknown[] = []
const open = (id: string) =>
  TerminalSession.open({
    id,
    recording: join(folder, `${id}.cast`),
    cols: 80,
    rows: 24,
    language: 'en',
    onFault: (error) => faults.push(error),
    start: (cols, rows) => toolbox.openTerminal({ cols, rows }),
  })

const skipped = { en: 'ten minutes were skipped', zh: '已快进十分钟' }

test('a second look finds the screen as it was, colours and scrollback too, and the output goes on from there', async () => {
  await using session = await open('reattach')
  const first = sit(session)
  first.seat.input(`printf '\\e[31mred\\e[0m\\n'; seq 100; PS1='> '\r`)
  await until(() => first.text().includes('\n100\r\n'))
  first.seat[Symbol.dispose]()
  const second = sit(session)
  expect(second.screens).toBe(1)
  expect(second.text()).toContain('\x1b[31mred')
  expect(second.text()).toMatch(/1\r\n2\r\n3\r\n/)
  second.seat.input('echo went-on-$((40+2))\r')
  await until(() => second.text().includes('went-on-42'))
})

test('every byte is counted: a frame begins where the one before ended', async () => {
  await using session = await open('sequence')
  const viewer = sit(session)
  viewer.seat.input('seq 2000; echo done-$((1+1))\r')
  await until(() => viewer.text().includes('done-2'))
  for (const [index, frame] of viewer.frames.entries())
    if (index > 0) expect(frame.seq).toBe((viewer.frames[index - 1]?.seq ?? 0) + (viewer.frames[index - 1]?.size ?? 0))
})

test('what the platform says stands above the line that is being typed, and is marked in the recording', async () => {
  await using session = await open('announced')
  const viewer = sit(session)
  viewer.seat.input("PS1='> '; clear\r")
  await until(() => /\x1b\[H.*> $/s.test(viewer.text()))
  viewer.seat.input(`echo ${'long '.repeat(20)}end`)
  await until(() => viewer.text().includes('end'))
  await session.announce(skipped)
  viewer.seat.input('less\r')
  await until(() => viewer.text().includes('endless\r\n'))
  // drawn once more from the screen as it is: rows that were broken at the edge are one line there
  const lines = sit(session).text().split('\r\n')
  const said = lines.findIndex((line) => line.includes('— ten minutes were skipped —'))
  expect(lines[said + 1]).toMatch(/^\S*> echo (long ){20}endless$/)
  expect(lines.filter((line) => line.includes('echo long')).length).toBe(1)
  await session.flush()
  const events = readFileSync(join(folder, 'announced.cast'), 'utf8').split('\n')
  expect(events.some((line) => line.includes('"m","ten minutes were skipped"'))).toBe(true)
})

test('what the platform says is in the language of whoever writes, on one line however narrow', async () => {
  await using session = await open('chinese')
  const viewer = sit(session, { language: 'zh' })
  viewer.seat.resize(10, 24)
  viewer.seat.input("PS1='> '; clear\r")
  await until(() => /\x1b\[H.*> $/s.test(viewer.text()))
  await session.announce(skipped)
  viewer.seat.input('pwd\r')
  const drawn = () => sit(session, { language: 'zh' }).text().split('\r\n')
  await until(() => drawn().some((line) => line.includes('/home')))
  // two columns each: three characters and the dash before them fill eight of ten
  expect(drawn().findIndex((line) => line.includes('— 已快进十') && !line.includes('分'))).toBe(0)
  expect(drawn()[1]).toContain('> pwd')
  await session.flush()
  expect(readFileSync(join(folder, 'chinese.cast'), 'utf8')).toContain('"m","已快进十分钟"')
})

test.skipIf(!existsSync('/dev/full'))('a terminal goes on when the disk takes no more of its recording, and tells it once', async () => {
  symlinkSync('/dev/full', join(folder, 'unrecorded.cast'))
  await using session = await open('unrecorded')
  const viewer = sit(session)
  for (const step of [1, 2]) {
    viewer.seat.input(`echo step-$((${step}*10))\r`)
    await until(() => viewer.text().includes(`step-${step}0`))
    await session.flush()
  }
  expect(faults).toMatchObject([{ code: 'ENOSPC' }])
})

test('a program that has the whole screen is not disturbed by what the platform says', async () => {
  await using session = await open('undisturbed')
  const viewer = sit(session)
  viewer.seat.input("printf '\\e[?1049h\\e[Hdrawn'; read\r")
  await until(() => viewer.text().includes('\x1b[?1049h'))
  await session.announce(skipped)
  expect(viewer.text()).not.toContain('ten minutes')
})

test('the last who asks to write may write; the one before is told', async () => {
  await using session = await open('writers')
  const first = sit(session)
  const second = sit(session)
  expect([first.writer(), second.writer()]).toEqual([false, true])
  first.seat.input('echo from-first\r')
  second.seat.input('echo from-second\r')
  await until(() => second.text().includes('from-second\r\n'))
  expect(second.text()).not.toContain('from-first')
})

test('`yes` waits while the browser does not acknowledge, and memory stays flat', async () => {
  await using session = await open('yes')
  const viewer = sit(session, { acknowledge: false })
  viewer.seat.input('yes\r')
  await until(() => viewer.received() > window)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const stalled = viewer.received()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(viewer.received()).toBe(stalled)
  expect(stalled).toBeLessThan(window + 256 * 1024)
  viewer.seat.ack(stalled + 1_000_000)
  await until(() => viewer.received() > stalled)
})

test('the recording is an asciicast from the first byte, and a new shell goes on under the old screen', async () => {
  const session = await open('recorded')
  const viewer = sit(session)
  viewer.seat.resize(100, 30)
  viewer.seat.input('echo 你好-$((6*7))\r')
  await until(() => viewer.text().includes('你好-42'))
  await session[Symbol.asyncDispose]()
  const [header, ...events] = readFileSync(join(folder, 'recorded.cast'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(header).toMatchObject({ version: 2, width: 80, height: 24 })
  expect(events.some(([, kind, data]) => kind === 'r' && data === '100x30')).toBe(true)
  expect(events.map(([, kind, data]) => (kind === 'o' ? data : '')).join('')).toContain('你好-42')
  expect(events.every(([time], index) => index === 0 || time >= events[index - 1][0])).toBe(true)
  await using again = await open('recorded')
  const later = sit(again)
  expect(later.text()).toContain('你好-42')
  expect(later.text()).toContain('this is a new shell')
})

test('the end of the shell is told with its code', async () => {
  await using session = await open('exit')
  const viewer = sit(session)
  viewer.seat.input('exit 3\r')
  await until(() => viewer.exit() === 3)
})

function sit(session: TerminalSession, { acknowledge = true, language = 'en' as Language } = {}) {
  const frames: { seq: number; size: number }[] = []
  let text = ''
  let received = 0
  let exitCode: number | null = null
  let writes = false
  const state = { screens: 0 }
  const seat: { current: Seat | null } = { current: null }
  const viewer: Viewer = {
    wantsToWrite: true,
    language,
    screen: ({ bytes }) => {
      state.screens++
      text = Buffer.from(bytes).toString()
    },
    output: (seq, bytes) => {
      frames.push({ seq, size: bytes.length })
      text += Buffer.from(bytes).toString()
      received += bytes.length
      if (text.length > 4_000_000) text = ''
      if (acknowledge) seat.current?.ack(seq + bytes.length)
    },
    exit: (code) => {
      exitCode = code
    },
    writer: (now) => {
      writes = now
    },
  }
  seat.current = session.attach(viewer)
  return {
    seat: seat.current,
    frames,
    text: () => text,
    received: () => received,
    exit: () => exitCode,
    writer: () => writes,
    get screens() {
      return state.screens
    },
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(condition()).toBe(true)
}
