import type { AuditedRequest, ExecResult, ObjectSelector, WatchEvent, WatchedObject } from '../../engine.ts'
import type { AuditEvent } from '../api/audit.ts'
import { Cluster } from '../cluster.ts'
import type { Process } from '../containers/runtime.ts'
import type { KubeObject } from '../machinery/object.ts'
import { parseLabelSelector } from '../machinery/selectors.ts'
import { openDoor } from './door.ts'
import type { ClusterProcess, FromProcess, ToProcess } from './messages.ts'
import { warmUp } from './warm-up.ts'

/** A process that runs clusters for the platform (pool.ts starts it) and ends with it, however the platform ends. */
const clusters = new Map<string, Running>()

interface Running {
  cluster: Cluster
  watches: Map<number, Disposable>
  /** Shells on nodes by their numbers. */
  terminals: Map<number, Process>
  door?: AsyncDisposable
  /** A fork, whose clock stands still until somebody moves it. */
  still: boolean
}

const methods: ClusterProcess = {
  async open(id, { dir, name, socket, nodes, seed, rate, cni, addons, snapshot }) {
    const report = (where: string, error: unknown) => tell({ cluster: id, fault: `${where}: ${sentenceOf(error)}` })
    const cluster = snapshot
      ? await Cluster.fromSnapshot(snapshot, report)
      : await Cluster.open({
          name,
          nodes,
          seed,
          clock: { rate },
          report,
          ...(dir && { dir }),
          ...(cni && { cni }),
          ...(addons && { addons }),
        })
    try {
      if (socket) await cluster.listen({ path: socket })
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    clusters.set(id, { cluster, watches: new Map(), terminals: new Map(), still: false })
  },
  async close(id) {
    const found = clusters.get(id)
    clusters.delete(id)
    if (!found) return
    for (const watch of found.watches.values()) watch[Symbol.dispose]()
    for (const terminal of found.terminals.values()) terminal.kill('SIGKILL')
    await found.door?.[Symbol.asyncDispose]()
    await found.cluster[Symbol.asyncDispose]()
  },
  async fork(id, fork) {
    clusters.set(fork, { cluster: await at(id).fork(), watches: new Map(), terminals: new Map(), still: true })
  },
  async kubeconfig(id, server, user) {
    return at(id).kubeconfig(user ? { server, user } : { server })
  },
  request: (id, request) => at(id).request(request),
  exec(id, namespace, pod, argv, options) {
    const { cluster, still } = clusters.get(id) ?? missing(id)
    const running = exec(cluster, namespace, pod, argv, options)
    return still ? movedAlong(cluster, running) : running
  },
  nodes: async (id) => at(id).nodeNames(),
  execOnNode(id, node, argv, { timeout, stdin }) {
    const { cluster, still } = clusters.get(id) ?? missing(id)
    const process = cluster.nodeShell(node, argv, { tty: false, stdin: stdin !== undefined })
    if (stdin !== undefined) process.write(Buffer.from(stdin))
    process.closeStdin()
    const running = collected(cluster, process, timeout)
    return still ? movedAlong(cluster, running) : running
  },
  async openTerminal(id, terminal, node, size) {
    const { cluster, terminals } = clusters.get(id) ?? missing(id)
    const shell = cluster.nodeShell(node, ['bash', '-l'], { tty: true, stdin: true, ...size })
    terminals.set(terminal, shell)
    shell.onOutput((_stream, data) => tell({ terminal, data }))
    void shell.exited.then(({ exitCode }) => {
      terminals.delete(terminal)
      tell({ terminal, exitCode })
    })
  },
  async writeTerminal(id, terminal, data) {
    clusters.get(id)?.terminals.get(terminal)?.write(Buffer.from(data))
  },
  async resizeTerminal(id, terminal, { cols, rows }) {
    clusters.get(id)?.terminals.get(terminal)?.resize(cols, rows)
  },
  async closeTerminal(id, terminal) {
    clusters.get(id)?.terminals.get(terminal)?.kill('SIGKILL')
  },
  snapshot: async (id) => at(id).snapshot(),
  auditLog: async (id) => at(id).auditEvents().map(withoutContents),
  now: async (id) => at(id).context.clock.now(),
  advance: (id, ms) => at(id).advance(ms),
  async watch(id, watch, selector) {
    const { cluster, watches } = clusters.get(id) ?? missing(id)
    const { clock, cache } = cluster.context
    watches.get(watch)?.[Symbol.dispose]()
    const handle = cache.watch(selector, ({ type, object, previous }) => {
      const event = visible(selector, type, object, previous)
      if (event) tell({ watch, event: { ...event, time: clock.now() } })
    })
    watches.set(watch, handle)
  },
  async unwatch(id, watch) {
    const watches = clusters.get(id)?.watches
    watches?.get(watch)?.[Symbol.dispose]()
    watches?.delete(watch)
  },
  async openDoor(id, door, socket) {
    const running = clusters.get(id) ?? missing(id)
    await running.door?.[Symbol.asyncDispose]()
    const report = (error: unknown) => tell({ cluster: id, fault: `door: ${sentenceOf(error)}` })
    running.door = await openDoor(running.cluster.outside(), socket, (view) => tell({ door, view }), report)
  },
}

const asked = new AbortController()
void warmUp((where, error) => tell({ cluster: 'that warms up', fault: `${where}: ${sentenceOf(error)}` }), asked.signal)

process.on('message', ({ call, method, args }: ToProcess) => {
  asked.abort()
  const run = methods[method] as (...values: unknown[]) => Promise<unknown>
  run(...args).then(
    (result) => tell({ call, result }),
    (error) => tell({ call, error: sentenceOf(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
// the platform ends its processes one by one; a terminal's Ctrl-C reaches them all
process.on('SIGINT', () => undefined)

function tell(message: FromProcess): void {
  process.send?.(message)
}

function at(id: string): Cluster {
  return (clusters.get(id) ?? missing(id)).cluster
}

function missing(id: string): never {
  throw new Error(`No cluster ${id} runs here`)
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Without query and message, which may quote what was sent. */
function withoutContents({
  user,
  userAgent,
  verb,
  objectRef,
  requestURI,
  responseStatus,
  requestReceivedTimestamp,
}: AuditEvent): AuditedRequest {
  return {
    time: Date.parse(requestReceivedTimestamp),
    user: user.username,
    agent: userAgent?.split(' ')[0] ?? null,
    verb,
    group: objectRef?.apiGroup ?? '',
    resource: objectRef
      ? `${objectRef.resource}${objectRef.subresource ? `/${objectRef.subresource}` : ''}`
      : (requestURI.split('?')[0] as string),
    namespace: objectRef?.namespace ?? null,
    name: objectRef?.name ?? null,
    code: responseStatus.code,
  }
}

/** What a change means to a watcher of the selector: leaving its labels is a deletion. */
function visible(
  { namespace, name, labelSelector }: ObjectSelector,
  type: WatchEvent['type'],
  object: KubeObject,
  previous?: KubeObject,
): Omit<WatchEvent, 'time'> | null {
  const { metadata } = object
  if ((namespace && metadata.namespace !== namespace) || (name && metadata.name !== name)) return null
  const predicate = labelSelector ? parseLabelSelector(labelSelector) : () => true
  const matches = (one: KubeObject) => predicate(one.metadata.labels)
  const seen = object as unknown as WatchedObject
  if (matches(object)) return { type: previous && !matches(previous) && type !== 'DELETED' ? 'ADDED' : type, object: seen }
  return previous && matches(previous) ? { type: 'DELETED', object: seen } : null
}

/** A command may wait for time to pass: moves the clock on, no further than it needs, until the command is over. */
async function movedAlong<T>(cluster: Cluster, running: Promise<T>): Promise<T> {
  let over = false
  const end = () => {
    over = true
  }
  running.then(end, end)
  for (let step = 1; !over; step = Math.min(1_000, step * 2)) await cluster.advance(step)
  return running
}

async function exec(
  cluster: Cluster,
  namespace: string,
  pod: string,
  argv: string[],
  { container, timeout }: { container?: string; timeout?: number },
): Promise<ExecResult> {
  let process: Process
  try {
    process = await cluster.nodeApi.exec(namespace, pod, {
      command: argv,
      stdin: false,
      stdout: true,
      stderr: true,
      tty: false,
      ...(container ? { container } : {}),
    })
  } catch (error) {
    return { exitCode: 126, stdout: '', stderr: sentenceOf(error) }
  }
  return collected(cluster, process, timeout)
}

/** What a process writes until it ends, or is ended after ms. */
async function collected(cluster: Cluster, process: Process, timeout = 30_000): Promise<ExecResult> {
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }
  using _listening = process.onOutput((stream, data) => output[stream].push(data))
  const { clock } = cluster.context
  let late = false
  using _timer = clock.setTimeout(() => {
    late = true
    process.kill('SIGKILL')
  }, timeout)
  const { exitCode } = await process.exited
  const text = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString('utf8')
  return { exitCode: late ? 124 : exitCode, stdout: text(output.stdout), stderr: text(output.stderr) }
}
