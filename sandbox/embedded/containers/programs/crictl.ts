import { stringify } from 'yaml'
import type { Cri, CriContainer, CriPod } from '../../node/host.ts'
import type { Process } from '../kernel/process.ts'
import { type Image, ImageError } from '../runtime.ts'
import { last, type Options, parseOptions } from './options.ts'

type Command = (process: Process, cri: Cri, args: string[]) => Promise<number>

/**
 * A client of the container runtime's socket, with cri-tools' output.
 * @see https://github.com/kubernetes-sigs/cri-tools/blob/master/docs/crictl.md
 */
export async function crictl(process: Process): Promise<number> {
  const cri = process.machine.host?.cri
  const words = parseOptions(
    process.args,
    'r:i:t:D',
    { 'runtime-endpoint=': 'r', 'image-endpoint=': 'i', 'timeout=': 't', debug: 'D' },
    true,
  )
  const [name = 'help', ...args] = words.operands
  if (name === 'help' || name === '--help') {
    await process.print(
      `NAME:\n   crictl - client for CRI\n\nCOMMANDS:\n${Object.keys(commands)
        .map((each) => `   ${each}\n`)
        .join('')}`,
    )
    return 0
  }
  const command = commands[name]
  if (!command) {
    await process.complain(`No help topic for '${name}'\n`)
    return 3
  }
  if (!cri?.serves) {
    const socket = '/run/containerd/containerd.sock'
    const why = `transport: Error while dialing: dial unix ${socket}: connect: no such file or directory`
    const call = `validate CRI v1 runtime API for endpoint "unix://${socket}": rpc error: code = Unavailable desc = connection error: desc = "${why}"`
    return await fatal(process, `validate service connection: ${call}`)
  }
  return await command(process, cri, args)
}

const commands: Record<string, Command> = {
  ps,
  pods,
  images,
  image: images,
  img: images,
  inspect,
  inspectp,
  inspecti,
  logs,
  exec,
  stop,
  stopp,
  rm,
  rmp,
  rmi,
  pull,
  stats,
  info,
  version,
}

async function fatal(process: Process, message: string): Promise<number> {
  await process.complain(`FATA[0000] ${message}\n`)
  return 1
}

function notFound(kind: 'container' | 'sandbox', id: string): string {
  return `rpc error: code = NotFound desc = an error occurred when try to find ${kind} ${JSON.stringify(id)}: not found`
}

function byPrefix<T extends { id: string }>(all: T[], id: string): T | undefined {
  const found = all.filter((each) => each.id.startsWith(id))
  return found.length === 1 && id !== '' ? found[0] : undefined
}

const listOptions = {
  all: 'a',
  quiet: 'q',
  'no-trunc': 'T',
  latest: 'l',
  'output=': 'o',
  'name=': 'n',
  'namespace=': 'N',
  'pod=': 'p',
  'state=': 's',
  'label=': 'L',
  'id=': 'I',
  'image=': 'M',
  'last=': 'Z',
}

async function ps(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'aqlo:p:s:n:', listOptions)
  const wanted = last(options, 's')?.toLowerCase()
  const shown = newest(cri.containers(), options).filter((each) => {
    if (!options.flags.has('a') && wanted === undefined && each.state !== 'running') return false
    if (wanted !== undefined && each.state !== wanted) return false
    return (
      matches(options, 'n', each.name) &&
      matches(options, 'N', each.pod.namespace) &&
      (!last(options, 'p') || each.pod.id.startsWith(last(options, 'p') as string))
    )
  })
  if (options.flags.has('q'))
    return await lines(
      process,
      shown.map(({ id }) => id),
    )
  const structured = await asDocument(process, options, { containers: shown.map(containerDocument) })
  if (structured !== undefined) return structured
  const trunc = (id: string) => (options.flags.has('T') ? id : id.slice(0, 13))
  const now = process.machine.now()
  return await table(
    process,
    ['CONTAINER', 'IMAGE', 'CREATED', 'STATE', 'NAME', 'ATTEMPT', 'POD ID', 'POD', 'NAMESPACE'],
    shown.map((each) => [
      trunc(each.id),
      trunc(digestOf(each.imageID)),
      `${humanDuration(now - each.createdAt)} ago`,
      `${each.state[0]?.toUpperCase()}${each.state.slice(1)}`,
      each.name,
      String(each.attempt),
      trunc(each.pod.id),
      each.pod.name,
      each.pod.namespace,
    ]),
  )
}

async function pods(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'qlo:s:n:', listOptions)
  const wanted = last(options, 's')?.toLowerCase()
  const labels = options.values.get('L') ?? []
  const shown = newest(cri.pods(), options).filter((pod) => {
    if (wanted !== undefined && pod.ready !== (wanted === 'ready')) return false
    if (!labels.every((label) => `${label.split('=')[0]}=${pod.labels[label.split('=')[0] ?? '']}` === label)) return false
    return matches(options, 'n', pod.name) && matches(options, 'N', pod.namespace) && pod.id.startsWith(last(options, 'I') ?? '')
  })
  if (options.flags.has('q'))
    return await lines(
      process,
      shown.map(({ id }) => id),
    )
  const structured = await asDocument(process, options, { items: shown.map(podDocument) })
  if (structured !== undefined) return structured
  const now = process.machine.now()
  return await table(
    process,
    ['POD ID', 'CREATED', 'STATE', 'NAME', 'NAMESPACE', 'ATTEMPT', 'RUNTIME'],
    shown.map((pod) => [
      options.flags.has('T') ? pod.id : pod.id.slice(0, 13),
      `${humanDuration(now - pod.createdAt)} ago`,
      pod.ready ? 'Ready' : 'NotReady',
      pod.name,
      pod.namespace,
      '0',
      '(default)',
    ]),
  )
}

async function images(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args[0] === 'ls' ? args.slice(1) : args, 'qvo:', { ...listOptions, digests: 'D' })
  const [only] = options.operands
  const shown = cri
    .images()
    .filter(({ name }) => only === undefined || name === only || name.replace(/^docker\.io\/(library\/)?/, '') === only)
  if (options.flags.has('q'))
    return await lines(
      process,
      shown.map(({ id }) => `sha256:${digestOf(id)}`),
    )
  const structured = await asDocument(process, options, { images: shown.map(imageDocument) })
  if (structured !== undefined) return structured
  const parts = (name: string) => [name.slice(0, name.lastIndexOf(':')), name.slice(name.lastIndexOf(':') + 1)]
  return await table(
    process,
    ['IMAGE', 'TAG', 'IMAGE ID', 'SIZE'],
    shown.map(({ name, id, sizeBytes }) => [...parts(name), digestOf(id).slice(0, 13), humanSize(sizeBytes)]),
  )
}

async function inspect(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'o:q', listOptions)
  const all = cri.containers()
  if (options.operands.length === 0) return await fatal(process, 'ID cannot be empty')
  for (const id of options.operands) {
    const found = byPrefix(all, id)
    if (!found) return await fatal(process, `getting the status of the container ${JSON.stringify(id)}: ${notFound('container', id)}`)
    const { container } = found
    const nanos = (ms: number | undefined) => (ms === undefined ? '0001-01-01T00:00:00Z' : new Date(ms).toISOString())
    const document = {
      status: {
        ...containerDocument(found),
        createdAt: nanos(found.createdAt),
        startedAt: nanos(container.startedAt),
        finishedAt: nanos(container.exit?.finishedAt),
        exitCode: container.exit?.exitCode ?? 0,
        reason: container.exit?.reason ?? '',
        message: '',
        logPath: `/var/log/pods/${found.pod.namespace}_${found.pod.name}_${found.pod.uid}/${found.name}/${found.attempt}.log`,
        mounts: container.spec.mounts.map(({ mountPath, readOnly, volume, subPath }) => ({
          containerPath: mountPath,
          hostPath: `/var/lib/kubelet/${volume.key}${subPath ? `/${subPath}` : ''}`,
          readonly: readOnly,
        })),
        resources: {
          linux: {
            cpuQuota: String(Math.round((container.spec.cpuLimit ?? 0) * 100_000)),
            memoryLimitInBytes: String(container.spec.memoryLimit ?? 0),
          },
        },
      },
      info: {
        pid: process.machine.host?.pidOf(found.id) ?? 0,
        sandboxID: found.pod.id,
        runtimeType: 'io.containerd.runc.v2',
        config: {
          metadata: { name: found.name, attempt: found.attempt },
          image: { image: found.image },
          command: container.spec.command ?? [],
          args: container.spec.args ?? [],
          envs: container.spec.env.map(({ name, value }) => ({ key: name, value })),
        },
      },
    }
    await process.print(last(options, 'o') === 'yaml' ? stringify(document) : `${JSON.stringify(document, null, 2)}\n`)
  }
  return 0
}

async function inspectp(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'o:q', listOptions)
  if (options.operands.length === 0) return await fatal(process, 'ID cannot be empty')
  for (const id of options.operands) {
    const pod = byPrefix(cri.pods(), id)
    if (!pod) return await fatal(process, `getting the pod sandbox status for ${JSON.stringify(id)}: ${notFound('sandbox', id)}`)
    const { state, runtimeHandler: _handler, ...document } = podDocument(pod)
    const network = { additionalIps: [], ip: pod.hostNetwork ? '' : pod.ip }
    const namespaces = { options: { ipc: 'POD', network: pod.hostNetwork ? 'NODE' : 'POD', pid: 'CONTAINER' } }
    const status = { ...document, createdAt: new Date(pod.createdAt).toISOString(), linux: { namespaces }, network, state }
    const whole = { status, info: { pid: process.machine.host?.pidOf(pod.id) ?? 0, runtimeType: 'io.containerd.runc.v2' } }
    await process.print(last(options, 'o') === 'yaml' ? stringify(whole) : `${JSON.stringify(whole, null, 2)}\n`)
  }
  return 0
}

async function inspecti(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'o:q', listOptions)
  for (const name of options.operands) {
    const image = imageNamed(cri, name)
    if (!image) return await fatal(process, `no such image ${JSON.stringify(name)} present`)
    const whole = { status: imageDocument(image), info: {} }
    await process.print(last(options, 'o') === 'yaml' ? stringify(whole) : `${JSON.stringify(whole, null, 2)}\n`)
  }
  return 0
}

async function logs(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'ftp', { follow: 'f', timestamps: 't', 'tail=': 'n', previous: 'p', 'since=': 's' })
  const [id = ''] = options.operands
  if (id === '') return await fatal(process, 'ID cannot be empty')
  const found = byPrefix(cri.containers(), id)
  if (!found) return await fatal(process, notFound('container', id))
  const { log } = found.container
  const count = Number(last(options, 'n') ?? -1)
  const kept = count < 0 ? log.lines() : log.lines().slice(Math.max(0, log.lines().length - count))
  const show = async ({ time, stream, text }: ReturnType<typeof log.lines>[number]) => {
    const line = `${options.flags.has('t') ? `${new Date(time).toISOString()} ` : ''}${text.endsWith('\n') ? text : `${text}\n`}`
    await (stream === 'stdout' ? process.print(line) : process.complain(line))
  }
  const queue = [...kept]
  let wake = () => {}
  using _lines = log.onLine((line) => {
    queue.push(line)
    wake()
  })
  using _exit = found.container.onExit(() => wake())
  for (;;) {
    const line = queue.shift()
    if (line) await show(line)
    else if (!options.flags.has('f') || found.container.state === 'exited') return 0
    else {
      await process.block<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

async function exec(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'itsr:', { interactive: 'i', tty: 't', sync: 's', 'timeout=': 'T' }, true)
  const [id = '', ...argv] = options.operands
  const found = byPrefix(cri.containers(), id)
  if (!found) return await fatal(process, `execing command in container: ${notFound('container', id)}`)
  const tty = options.flags.has('t')
  const stdin = options.flags.has('i')
  let running: Awaited<ReturnType<typeof found.container.exec>>
  try {
    running = await found.container.exec(argv, { tty, stdin })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return await fatal(process, `execing command in container: rpc error: code = Unknown desc = ${error.message}`)
  }
  process.onEnd(() => running.kill('SIGKILL'))
  const output: { stream: 'stdout' | 'stderr'; data: Uint8Array }[] = []
  let wake = () => {}
  using _output = running.onOutput((stream, data) => {
    output.push({ stream, data })
    wake()
  })
  let code: number | undefined
  void running.exited.then(({ exitCode }) => {
    code = exitCode
    wake()
  })
  if (stdin) void feed(process, running)
  for (;;) {
    const piece = output.shift()
    if (piece) await process.write(piece.stream === 'stdout' ? 1 : 2, piece.data)
    else if (code !== undefined) break
    else {
      await process.block<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return code === 0 ? 0 : await fatal(process, `execing command in container: command terminated with exit code ${code}`)
}

/** What is typed goes to the command, until it ends. */
async function feed(process: Process, running: { write(data: Uint8Array): void; closeStdin(): void }): Promise<void> {
  try {
    for (;;) {
      const data = await process.read(0)
      if (data.length === 0) break
      running.write(data)
    }
  } catch {
    // Whoever typed is gone: for the command that is the end of its input.
  }
  running.closeStdin()
}

async function stop(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 't:', { 'timeout=': 't' })
  return await withContainers(process, cri, options.operands, 'stopping', async (found) => {
    await halt(process, found, Number(last(options, 't') ?? 0))
    return undefined
  })
}

async function halt(process: Process, { container }: CriContainer, seconds: number): Promise<void> {
  if (container.state !== 'running') return
  const over = { yet: false }
  container.onExit(() => {
    over.yet = true
  })
  if (seconds > 0) {
    container.signal('SIGTERM')
    for (let waited = 0; !over.yet && waited < seconds * 10; waited++) await process.sleep(100)
  }
  if (!over.yet) container.signal('SIGKILL')
}

async function rm(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'fa', { force: 'f', all: 'a' })
  const ids = options.flags.has('a') ? cri.containers().map(({ id }) => id) : options.operands
  return await withContainers(process, cri, ids, 'removing', async (found) => {
    if (found.container.state === 'running') {
      if (!options.flags.has('f')) return `container is running, please stop it first`
      await halt(process, found, 0)
    }
    found.container.remove()
    return undefined
  })
}

async function withContainers(
  process: Process,
  cri: Cri,
  ids: string[],
  doing: string,
  act: (found: CriContainer) => Promise<string | undefined>,
): Promise<number> {
  if (ids.length === 0) return await fatal(process, 'ID cannot be empty')
  for (const id of ids) {
    const found = byPrefix(cri.containers(), id)
    const why = found ? await act(found) : notFound('container', id)
    if (why !== undefined) return await fatal(process, `${doing} the container ${JSON.stringify(id)}: ${why}`)
    await process.print(`${id}\n`)
  }
  return 0
}

/** A sandbox that is stopped ends with its containers; the kubelet makes the pod anew. */
async function stopp(process: Process, cri: Cri, args: string[]): Promise<number> {
  return await withPods(process, cri, args, 'stopping', 'Stopped', async () => undefined)
}

async function rmp(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'fa', { force: 'f', all: 'a' })
  const force = options.flags.has('f')
  return await withPods(process, cri, options.operands, 'removing', 'Removed', async (pod, inside) => {
    if (!force && pod.ready && inside.some(({ state }) => state === 'running')) {
      return `rpc error: code = Unknown desc = sandbox container ${JSON.stringify(pod.id)} is not fully stopped`
    }
    return undefined
  })
}

async function withPods(
  process: Process,
  cri: Cri,
  ids: string[],
  doing: string,
  done: string,
  objection: (pod: CriPod, inside: CriContainer[]) => Promise<string | undefined>,
): Promise<number> {
  if (ids.length === 0) return await fatal(process, 'ID cannot be empty')
  for (const id of ids) {
    const pod = byPrefix(cri.pods(), id)
    const inside = cri.containers().filter((each) => each.pod.id === pod?.id)
    const why = pod ? await objection(pod, inside) : notFound('sandbox', id)
    if (why !== undefined) return await fatal(process, `${doing} the pod sandbox ${JSON.stringify(id)}: ${why}`)
    for (const each of inside) await halt(process, each, 0)
    await process.print(`${done} sandbox ${id}\n`)
  }
  return 0
}

async function rmi(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'aq', { all: 'a', prune: 'q' })
  const names = options.flags.has('q') ? cri.images().map(({ name }) => name) : options.operands
  let code = 0
  for (const name of names) {
    const image = imageNamed(cri, name)
    if (image && cri.removeImage(image.name)) await process.print(`Deleted: ${image.name}\n`)
    else if (!options.flags.has('q')) {
      await process.complain(
        `ERRO[0000] ${image ? `unable to remove image ${JSON.stringify(name)}: it is in use` : `no such image ${name}`}\n`,
      )
      code = 1
    }
  }
  return code === 0 ? 0 : await fatal(process, 'unable to remove the image(s)')
}

async function pull(process: Process, cri: Cri, args: string[]): Promise<number> {
  const { operands } = parseOptions(args, 'a:', { 'creds=': 'c', 'auth=': 'a' })
  const [name] = operands
  if (name === undefined) return await fatal(process, 'image name cannot be empty')
  try {
    const image = await process.until(() => cri.pull(name))
    await process.print(`Image is up to date for sha256:${digestOf(image.id)}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ImageError)) throw error
    const message = error.message.startsWith('rpc error') ? error.message : `rpc error: code = Unknown desc = ${error.message}`
    return await fatal(process, `pulling image: ${message}`)
  }
}

async function stats(process: Process, cri: Cri, args: string[]): Promise<number> {
  const options = parseOptions(args, 'ao:p:s:', listOptions)
  const [id] = options.operands
  const shown = newest(cri.containers(), options).filter((each) => each.state === 'running' && each.id.startsWith(id ?? ''))
  return await table(
    process,
    ['CONTAINER', 'NAME', 'CPU %', 'MEM', 'DISK', 'INODES', 'SWAP'],
    shown.map((each) => {
      const { cpuNanoCores, memoryBytes } = each.container.usage()
      return [
        each.id.slice(0, 13),
        each.name,
        (cpuNanoCores / 1e7).toFixed(2),
        humanSize(memoryBytes),
        humanSize(each.container.disk().bytes),
        '15',
        '0B',
      ]
    }),
  )
}

async function info(process: Process, _cri: Cri): Promise<number> {
  const ready = (type: string) => ({ message: '', reason: '', status: true, type })
  const network = process.fs.find('/etc/cni/net.d', process.who)
  const configured = network?.type === 'dir' && [...network.entries.keys()].some((name) => /\.conf(list)?$/.test(name))
  const notReady = {
    message: 'Network plugin returns error: cni plugin not initialized',
    reason: 'NetworkPluginNotReady',
    status: false,
    type: 'NetworkReady',
  }
  const document = {
    cniconfig: { PluginDirs: ['/opt/cni/bin'], PluginConfDir: '/etc/cni/net.d', PluginMaxConfNum: 1, Prefix: 'eth' },
    config: { containerd: { defaultRuntimeName: 'runc', snapshotter: 'overlayfs' }, containerdEndpoint: '/run/containerd/containerd.sock' },
    golang: 'go1.24.11',
    lastCNILoadStatus: configured
      ? 'OK'
      : 'cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to load cni config',
    status: { conditions: [ready('RuntimeReady'), configured ? ready('NetworkReady') : notReady] },
  }
  await process.print(`${JSON.stringify(document, null, 2)}\n`)
  return 0
}

async function version(process: Process): Promise<number> {
  await process.print('Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v2.2.0\nRuntimeApiVersion:  v1\n')
  return 0
}

function containerDocument(each: CriContainer) {
  return {
    id: each.id,
    podSandboxId: each.pod.id,
    metadata: { name: each.name, attempt: each.attempt },
    image: { image: `sha256:${digestOf(each.imageID)}`, annotations: {}, userSpecifiedImage: each.image, runtimeHandler: '' },
    imageRef: `sha256:${digestOf(each.imageID)}`,
    state: `CONTAINER_${each.state.toUpperCase()}`,
    createdAt: `${Math.floor(each.createdAt)}000000`,
    labels: {
      'io.kubernetes.container.name': each.name,
      'io.kubernetes.pod.name': each.pod.name,
      'io.kubernetes.pod.namespace': each.pod.namespace,
      'io.kubernetes.pod.uid': each.pod.uid,
    },
    annotations: {
      'io.kubernetes.container.restartCount': String(each.attempt),
      'io.kubernetes.container.terminationMessagePath': each.container.spec.terminationMessagePath ?? '/dev/termination-log',
    },
  }
}

function podDocument(pod: CriPod) {
  return {
    id: pod.id,
    metadata: { name: pod.name, uid: pod.uid, namespace: pod.namespace, attempt: 0 },
    state: pod.ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
    createdAt: `${Math.floor(pod.createdAt)}000000`,
    labels: pod.labels,
    annotations: pod.annotations,
    runtimeHandler: '',
  }
}

function imageDocument({ name, id, sizeBytes }: Image) {
  return {
    id: `sha256:${digestOf(id)}`,
    repoTags: [name],
    repoDigests: [id],
    size: String(sizeBytes),
    uid: null,
    username: '',
    spec: null,
    pinned: /\/pause:/.test(name),
  }
}

function imageNamed(cri: Cri, name: string): Image | undefined {
  const bare = name.replace(/^sha256:/, '')
  const full = name.includes(':') ? name : `${name}:latest`
  return cri.images().find((image) => {
    const short = image.name.replace(/^docker\.io\/(library\/)?/, '')
    return image.name === full || short === full || (/^[0-9a-f]{3,}$/.test(bare) && digestOf(image.id).startsWith(bare))
  })
}

function digestOf(id: string): string {
  return id.slice(id.lastIndexOf(':') + 1)
}

function newest<T extends { createdAt: number }>(all: T[], options: Options): T[] {
  const sorted = all.sort((one, other) => other.createdAt - one.createdAt)
  const count = options.flags.has('l') ? 1 : Number(last(options, 'Z') ?? sorted.length)
  return sorted.slice(0, count)
}

function matches(options: Options, name: string, text: string): boolean {
  const pattern = last(options, name)
  return pattern === undefined || new RegExp(pattern).test(text)
}

async function lines(process: Process, all: string[]): Promise<number> {
  if (all.length > 0) await process.print(`${all.join('\n')}\n`)
  return 0
}

/** What -o asks for; undefined where that is the table. */
async function asDocument(process: Process, options: Options, document: unknown): Promise<number | undefined> {
  const format = last(options, 'o') ?? 'table'
  if (format === 'table') return undefined
  if (format === 'json') await process.print(`${JSON.stringify(document, null, 2)}\n`)
  else if (format === 'yaml') await process.print(stringify(document))
  else return await fatal(process, `unsupported output format ${JSON.stringify(format)}`)
  return 0
}

/** Go's tabwriter as crictl sets it: columns of 20 at least, three blanks between. */
async function table(process: Process, header: string[], rows: string[][]): Promise<number> {
  const all = [header, ...rows]
  const width = (column: number) => Math.max(20, ...all.map((row) => (row[column] ?? '').length + 3))
  const widths = header.map((_, column) => width(column))
  const line = (row: string[]) =>
    row.map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column] as number) : cell)).join('')
  await process.print(all.map((row) => `${line(row)}\n`).join(''))
  return 0
}

/** go-units' HumanDuration. */
function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  return `${Math.floor(hours / 24 / 7)} weeks`
}

/** go-units' HumanSize with three digits. */
function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let amount = bytes
  let unit = 0
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${Number(amount.toPrecision(amount >= 1000 ? 4 : 3))}${units[unit]}`
}
