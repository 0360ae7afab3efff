import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, lchown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { spawn as spawnPty } from 'node-pty'
import type { ExecOptions, ExecResult, TerminalOptions, TerminalProcess } from '../engine.ts'
import { enterCommand, findJails, holderCommand, home, type JailKind, tools } from './jail.ts'
import { watchToolbox } from './watchdog.ts'

export interface ToolboxOptions {
  /** The learner's home on this machine; made when it is not there, kept when the toolbox is disposed. */
  home: string
  /** kubectl and helm with their completions, as scripts/tools prepares them. */
  tools: string
  /** Unix socket of the sandbox's API server. */
  apiSocket: string
  /** Makes the kubeconfig for a server address. */
  kubeconfig: (server: string) => Promise<string>
  /** 'none' runs the shell as the platform's user; only ever for a loopback server. */
  jail?: JailKind | 'none'
}

/**
 * Where one sandbox's shells and commands run: a home of its own, kubectl and helm, and a network whose only other end is
 * the sandbox's API server at 127.0.0.1:6443. All its terminals share processes, network and files, as on one machine.
 */
export interface Toolbox extends AsyncDisposable {
  readonly jail: JailKind | 'none'
  /** False once the jail is gone (a learner may kill its first process): open another one. */
  alive(): boolean
  openTerminal(options: TerminalOptions): Promise<TerminalProcess>
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
  /** What the watchdog did to keep the toolbox within its limits, for the learner to read. */
  onNotice(listener: (notice: string) => void): Disposable
}

const port = 6443

/** Opens a toolbox. Rejects when the jail cannot be made; nothing is left behind then. */
export async function openToolbox(options: ToolboxOptions): Promise<Toolbox> {
  const kind = options.jail ?? findJails().kinds[0] ?? 'none'
  await mkdir(options.home, { recursive: true, mode: 0o700 })
  const uid = process.getuid?.() === 0 && kind !== 'none' ? claimUid() : null
  await using cleanup = new AsyncDisposableStack()
  if (uid !== null) cleanup.defer(() => void claimedUids.delete(uid))
  const listeners = new Set<(notice: string) => void>()
  const sockets = new Set<Socket>()
  const relay = (socket: Socket) => pipeTo(options.apiSocket, socket, sockets)
  cleanup.defer(() => {
    for (const socket of sockets) socket.destroy()
  })

  if (kind === 'none') {
    const server = createServer(relay)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    cleanup.defer(() => closeServer(server))
    const address = server.address()
    const at = typeof address === 'object' && address ? address.port : 0
    await furnish(options, `https://127.0.0.1:${at}`, options.home, options.tools, null)
    return assemble(
      kind,
      () => true,
      cleanup.move(),
      listeners,
      (argv) => ({
        argv: [...argv],
        environment: environmentOf(options.home, options.tools, process.env['PATH']),
        cwd: options.home,
      }),
    )
  }

  const stage = await mkdtemp(join(tmpdir(), 'toolbox-'))
  cleanup.defer(() => rm(stage, { recursive: true, force: true }))
  await chmod(stage, 0o755)
  await mkdir(join(stage, 'root'))
  await furnish(options, `https://127.0.0.1:${port}`, home, tools, uid)
  const holder = await startHolder(kind, holderCommand(kind, { home: options.home, tools: options.tools, stage }, uid))
  cleanup.defer(() => holder.end())
  const server = await listenInside(holder.pid, relay)
  cleanup.defer(() => closeServer(server))
  const watching = watchToolbox({ pid: holder.pid, home: options.home }, (notice) => {
    for (const listener of listeners) listener(notice)
  })
  cleanup.defer(() => watching[Symbol.dispose]())
  const environment = environmentOf(home, tools, '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin')
  return assemble(kind, holder.alive, cleanup.move(), listeners, (argv) => ({
    argv: enterCommand(holder.pid, uid, argv, environment),
    environment: outsideEnvironment(),
    cwd: '/',
  }))
}

interface Launch {
  argv: string[]
  environment: Record<string, string>
  cwd: string
}

function assemble(
  jail: JailKind | 'none',
  alive: () => boolean,
  owned: AsyncDisposableStack,
  listeners: Set<(notice: string) => void>,
  launch: (argv: readonly string[]) => Launch,
): Toolbox {
  const terminals = new Set<TerminalProcess>()
  const running = new Set<ChildProcess>()
  owned.defer(async () => {
    for (const child of running) child.kill('SIGKILL')
    for (const terminal of terminals) await terminal[Symbol.asyncDispose]()
  })
  return {
    jail,
    alive,
    onNotice(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    async openTerminal({ cols, rows }) {
      const terminal = openPty(launch(['bash', '-l']), cols, rows, () => terminals.delete(terminal))
      terminals.add(terminal)
      return terminal
    },
    exec: (argv, options) => run(launch(argv), options ?? {}, running),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function openPty({ argv, environment, cwd }: Launch, cols: number, rows: number, gone: () => void): TerminalProcess {
  const pty = spawnPty(argv[0] as string, argv.slice(1), { name: 'xterm-256color', cols, rows, cwd, env: environment, encoding: null })
  let over = false
  pty.onExit(() => {
    over = true
    gone()
  })
  return {
    write: (data) => {
      if (!over) pty.write(data)
    },
    resize: (newCols, newRows) => {
      if (!over) pty.resize(newCols, newRows)
    },
    pause: () => pty.pause(),
    resume: () => pty.resume(),
    onData: (listener) => {
      // encoding null makes node-pty deliver Buffers, which its types do not say
      const handle = pty.onData((data) => listener(data as unknown as Uint8Array))
      return { [Symbol.dispose]: () => handle.dispose() }
    },
    onExit: (listener) => {
      const handle = pty.onExit((exit) =>
        listener(exit.signal ? { exitCode: exit.exitCode, signal: exit.signal } : { exitCode: exit.exitCode }),
      )
      return { [Symbol.dispose]: () => handle.dispose() }
    },
    async [Symbol.asyncDispose]() {
      if (over) return
      const exited = new Promise<void>((resolve) => pty.onExit(() => resolve()))
      // destroy closes the master, which hangs the shell up; kill alone leaks the descriptor (node-pty#642)
      ;(pty as unknown as { destroy(): void }).destroy()
      const impatient = setTimeout(() => !over && pty.kill('SIGKILL'), 500)
      await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 2_000))])
      clearTimeout(impatient)
    },
  }
}

const outputLimit = 1024 * 1024

function run({ argv, environment, cwd }: Launch, options: ExecOptions, running: Set<ChildProcess>): Promise<ExecResult> {
  return new Promise((resolve) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      env: asProcessEnv(environment),
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    running.add(child)
    const kill = () => {
      try {
        if (child.pid) process.kill(-child.pid, 'SIGKILL')
      } catch {
        child.kill('SIGKILL')
      }
    }
    let late = false
    const timer = setTimeout(() => {
      late = true
      kill()
    }, options.timeout ?? 30_000)
    const stdout = collect(child.stdout, kill)
    const stderr = collect(child.stderr, kill)
    const finish = (exitCode: number, problem = '') => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ exitCode, stdout: stdout(), stderr: stderr() + problem })
    }
    child.on('error', (error) => finish(127, error.message))
    child.on('close', (code) => finish(late ? 124 : (code ?? 137)))
    // what the command left in the background may hold its output open: the command is over all the same
    child.on('exit', () => setTimeout(() => [child.stdout, child.stderr].map((stream) => stream.destroy()), 200))
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
  })
}

function collect(stream: Readable, tooMuch: () => void): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= outputLimit) chunks.push(chunk)
    else tooMuch()
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

/** Starts the holder and resolves with the pid, as this machine sees it, of the first process in its pid namespace. */
async function startHolder(kind: JailKind, argv: string[]): Promise<{ pid: number; alive: () => boolean; end: () => Promise<void> }> {
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: asProcessEnv(outsideEnvironment()),
    cwd: '/',
  })
  const problems: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => problems.push(chunk))
  const gone = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(
        new Error(`The toolbox could not be opened (${signal ?? `exit ${code}`}): ${Buffer.concat(problems).toString('utf8').trim()}`),
      ),
    )
  })
  gone.catch(() => undefined)
  const alive = () => child.exitCode === null && child.signalCode === null
  const end = async () => {
    child.stdin?.end()
    if (!alive()) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const impatient = setTimeout(() => child.kill('SIGKILL'), 1_000)
    await exited
    clearTimeout(impatient)
  }
  try {
    const [pid] = await Promise.race([
      Promise.all([kind === 'bubblewrap' ? pidFromInfo(child.stdio[3] as Readable) : null, once(child.stdout as Readable, 'data')]),
      gone,
    ])
    const inside = pid ?? (await firstChild(child.pid as number))
    return { pid: inside, alive, end }
  } catch (error) {
    await end()
    throw error
  }
}

function pidFromInfo(info: Readable): Promise<number> {
  let text = ''
  return new Promise((resolve) => {
    // read to its end: bubblewrap dies of a pipe that nobody reads
    info.on('data', (chunk) => {
      text += String(chunk)
      const found = /"child-pid":\s*(\d+)/.exec(text)
      if (found) resolve(Number(found[1]))
    })
  })
}

async function firstChild(pid: number): Promise<number> {
  const first = Number.parseInt(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10)
  if (Number.isNaN(first)) throw new Error('The toolbox ended while it was opened')
  return first
}

/**
 * A listening socket inside the holder's network that belongs to this process: a child enters the network, listens, hands
 * the socket over and ends, so that no relay has to run in the jail.
 */
async function listenInside(holder: number, onConnection: (socket: Socket) => void): Promise<Server> {
  const user = process.getuid?.() === 0 ? [] : ['-U', '--preserve-credentials']
  const script = join(import.meta.dirname, 'listen-inside.mjs')
  const child = spawn('nsenter', ['-t', `${holder}`, ...user, '-n', '--', process.execPath, script, `${port}`], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const problems: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => problems.push(chunk))
  try {
    return await new Promise<Server>((resolve, reject) => {
      child.once('message', (_message, handle) => {
        const server = handle as Server
        server.on('connection', onConnection)
        resolve(server)
      })
      child.once('error', reject)
      child.once('exit', (code) =>
        reject(new Error(`The toolbox's network could not be entered (exit ${code}): ${Buffer.concat(problems).toString('utf8').trim()}`)),
      )
    })
  } finally {
    if (child.connected) child.send('done')
  }
}

function pipeTo(path: string, socket: Socket, sockets: Set<Socket>): void {
  const api = connect(path)
  for (const end of [socket, api]) {
    sockets.add(end)
    end.on('close', () => {
      sockets.delete(end)
      socket.destroy()
      api.destroy()
    })
    end.on('error', () => undefined)
  }
  socket.pipe(api).pipe(socket)
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** What nsenter and its like are given: nothing of the platform's but the path. */
function outsideEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' }
}

/** Next's types claim that every environment has NODE_ENV. */
function asProcessEnv(environment: Record<string, string>): NodeJS.ProcessEnv {
  return environment as unknown as NodeJS.ProcessEnv
}

function environmentOf(homeFolder: string, toolsFolder: string, path = ''): Record<string, string> {
  return {
    HOME: homeFolder,
    USER: 'learner',
    LOGNAME: 'learner',
    SHELL: '/bin/bash',
    TERM: 'xterm-256color',
    COLORTERM: 'truecolor',
    LANG: 'C.UTF-8',
    PATH: `${toolsFolder}/bin:${homeFolder}/bin:${path}`,
    KUBECONFIG: `${homeFolder}/.kube/config`,
    EDITOR: 'nano',
  }
}

/** The files a first shell needs. The kubeconfig is written anew; what the learner changed in the others stays. */
async function furnish(
  options: ToolboxOptions,
  server: string,
  homeInside: string,
  toolsInside: string,
  uid: number | null,
): Promise<void> {
  await mkdir(join(options.home, '.kube'), { recursive: true, mode: 0o700 })
  await writeFile(join(options.home, '.kube', 'config'), await options.kubeconfig(server), { mode: 0o600 })
  const once = { flag: 'wx' } as const
  const rc = `# shellcheck shell=bash\n. ${toolsInside}/etc/bashrc\n`
  for (const [name, text] of [
    ['.bashrc', rc],
    ['.profile', `[ -n "$BASH_VERSION" ] && . ${homeInside}/.bashrc\n`],
  ] as const)
    await writeFile(join(options.home, name), text, once).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  if (uid !== null) await own(options.home, uid)
}

async function own(path: string, uid: number): Promise<void> {
  await lchown(path, uid, uid)
  const entries = await readdir(path, { withFileTypes: true })
  for (const entry of entries) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) await own(child, uid)
    else await lchown(child, uid, uid)
  }
}

const firstUid = 210_000
const claimedUids = new Set<number>()

/** A uid that no other toolbox of this process uses now. */
function claimUid(): number {
  let uid = firstUid + (randomBytes(2).readUInt16BE() % 40_000)
  while (claimedUids.has(uid)) uid++
  claimedUids.add(uid)
  return uid
}
