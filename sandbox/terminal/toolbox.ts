import type { ChildProcess } from 'node:child_process'
import { chmod, lchown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecOptions, ExecResult, TerminalOptions, TerminalProcess } from '../engine.ts'
import type { Text } from '../text.ts'
import { reachAddresses, type Surroundings } from './addresses.ts'
import { claimUid, releaseUid, startHolder } from './holder.ts'
import { enterCommand, findJails, holderCommand, home, type JailKind, limits, tools } from './jail.ts'
import { type Launch, openPty, outsideEnvironment, run } from './launch.ts'
import { listenInside } from './listen.ts'
import { watchProcesses } from './watchdog.ts'

export interface ToolboxOptions {
  /** The learner's home on this machine; made when it is not there, kept when the toolbox is disposed. */
  home: string
  /** kubectl and helm with their completions, as scripts/tools prepares them. */
  tools: string
  /** Unix socket of the sandbox's API server. */
  apiSocket: string
  /** Makes the kubeconfig for a server address. */
  kubeconfig: (server: string) => Promise<string>
  /** The addresses of the sandbox's cluster that a shell in a jail reaches beside the API server. */
  surroundings?: Surroundings
  /** 'none' runs the shell as the platform's user; only ever for a loopback server. */
  jail?: JailKind | 'none'
  /** What the watchdog did to keep the toolbox within its limits, for the learner to read. */
  onNotice?: (notice: Text) => void
}

/**
 * Where one sandbox's shells and commands run: a home of its own, kubectl and helm, and a network whose only other ends are
 * the sandbox's API server at 127.0.0.1:6443 and, where they are given, its cluster's addresses. All its terminals share
 * processes, network and files, as on one machine.
 */
export interface Toolbox extends AsyncDisposable {
  readonly jail: JailKind | 'none'
  /** False once the jail is gone (a learner may kill its first process): open another one. */
  alive(): boolean
  openTerminal(options: TerminalOptions): Promise<TerminalProcess>
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
}

const port = 6443

/** Opens a toolbox. Rejects when the jail cannot be made; nothing is left behind then. */
export async function openToolbox(options: ToolboxOptions): Promise<Toolbox> {
  const kind = options.jail ?? findJails().kinds[0] ?? 'none'
  await mkdir(options.home, { recursive: true, mode: 0o700 })
  const uid = process.getuid?.() === 0 && kind !== 'none' ? claimUid() : null
  await using cleanup = new AsyncDisposableStack()
  if (uid !== null) cleanup.defer(() => releaseUid(uid))
  const sockets = new Set<Socket>()
  const relay = (socket: Socket) => pipeTo(options.apiSocket, socket, sockets)

  if (kind === 'none') {
    const server = createServer(relay)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    cleanup.defer(() => closeServer(server, sockets))
    const address = server.address()
    const at = typeof address === 'object' && address ? address.port : 0
    await furnish(options, `https://127.0.0.1:${at}`, options.home, options.tools, null)
    return assemble(
      kind,
      () => true,
      cleanup.move(),
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
  const api = `127.0.0.1:${port}`
  const server = (await listenInside(holder.pid, [api], (server) => server.on('connection', relay))).get(api)
  if (!server) throw new Error(`Nothing can listen at ${api} in the toolbox`)
  cleanup.defer(() => closeServer(server, sockets))
  if (options.surroundings) cleanup.use(reachAddresses(holder.pid, options.surroundings, (notice) => options.onNotice?.(notice)))
  const watched = { pids: [holder.pid], home: options.home, memoryBytes: limits.memoryBytes }
  const watching = watchProcesses(watched, (notice) => options.onNotice?.(notice))
  cleanup.defer(() => watching[Symbol.dispose]())
  const environment = environmentOf(home, tools, '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin')
  return assemble(kind, holder.alive, cleanup.move(), (argv) => ({
    argv: enterCommand(holder.pid, uid, argv, environment),
    environment: outsideEnvironment(),
    cwd: '/',
  }))
}

function assemble(
  jail: JailKind | 'none',
  alive: () => boolean,
  owned: AsyncDisposableStack,
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
    async openTerminal({ cols, rows }) {
      const terminal = openPty(launch(['bash', '-l']), cols, rows, () => terminals.delete(terminal))
      terminals.add(terminal)
      return terminal
    },
    exec: (argv, options) => run(launch(argv), options ?? {}, running),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
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

/** Ends its connections too: a learner's programs may hold them as long as they run. */
function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
  })
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
