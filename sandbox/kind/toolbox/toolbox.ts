import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import type { ExecOptions, ExecResult, TerminalOptions, TerminalProcess } from '../../engine.ts'
import { Shortage, type Text } from '../../text.ts'
import type { Container, Docker } from '../docker.ts'
import type { ClusterToolbox, ClusterToolboxes, KindToolboxOptions } from './contract.ts'
import { holderSocket, openHeldTerminal } from './held-terminal.ts'
import { type ToolboxImageOptions, toolboxImage } from './image.ts'
import { type Egress, raiseWalls } from './walls.ts'

type Placed = Omit<KindToolboxOptions, 'kubeconfig' | 'homeFiles'>

const execute = promisify(execFile)
const home = '/home/learner'
const tools = '/opt/labernetes'
/** Bytes. The home is a volume, which Docker does not limit: the holder looks at it. */
const homeLimit = 256 * 2 ** 20
const tmpSize = '64m'
/** What is on every object of a toolbox besides the engine's labels. */
const ownLabel = 'labernetes.toolbox'

/**
 * The learner's machine beside a kind cluster: a container on the cluster's network, walled off, without privilege or
 * capability, its root file system read-only, its home a volume. Its first process holds the terminals, so that they outlive
 * the platform. Shells on nodes are held the same way, by a container that shares the node's namespaces.
 */
export class KindToolbox implements ClusterToolbox {
  private readonly options: Placed
  private readonly image: string
  private readonly terminals = new Set<TerminalProcess>()
  private readonly shells = new Map<string, Promise<string>>()

  private constructor(options: Placed, image: string) {
    this.options = options
    this.image = image
  }

  static image(docker: Docker, signal?: AbortSignal, options: ToolboxImageOptions = {}): Promise<{ image: string } | { missing: Text }> {
    return toolboxImage(docker, options, signal)
  }

  static async start({ kubeconfig, homeFiles, ...options }: KindToolboxOptions, signal?: AbortSignal): Promise<KindToolbox> {
    const { docker, id, network, labels, limits, egress = 'none' } = options
    const found = await toolboxImage(docker, options.image, signal)
    if ('missing' in found) throw new Shortage(found.missing)
    const toolbox = new KindToolbox(options, found.image)
    try {
      await raiseWalls(docker, found.image, egress)
      signal?.throwIfAborted()
      const own = { ...labels, [ownLabel]: id }
      const named = Object.entries(own).map(([name, value]) => `--label=${name}=${value}`)
      await docker.call(['volume', 'create', ...named, toolbox.volume])
      await docker.run(
        {
          name: toolbox.container,
          image: found.image,
          labels: own,
          network,
          hostname: 'toolbox',
          argv: [holderSocket, home, `${homeLimit}`],
          flags: [
            '--read-only',
            '--cap-drop=ALL',
            '--security-opt=no-new-privileges',
            '--restart=unless-stopped',
            `--mount=type=volume,source=${toolbox.volume},target=${home}`,
            `--tmpfs=/tmp:size=${tmpSize},mode=1777`,
            '--tmpfs=/run:size=1m,mode=0755,uid=1000,gid=1000',
            '--shm-size=16m',
            // where nobody outside answers, a name that is not a node's is not waited for
            ...(egress === 'none' ? ['--dns-opt=timeout:1', '--dns-opt=attempts:1'] : []),
            ...limitFlags(limits),
          ],
        },
        signal ? { signal } : {},
      )
      await toolbox.setKubeconfig(kubeconfig)
      if (homeFiles) await toolbox.addHomeFiles(homeFiles)
      signal?.throwIfAborted()
      return toolbox
    } catch (error) {
      await toolbox[Symbol.asyncDispose]()
      throw error
    }
  }

  static async adopt(options: Placed): Promise<KindToolbox | null> {
    const { docker, id, egress } = options
    const [container] = await docker.inspect('container', [`${id}-toolbox`])
    if (!container) return null
    await raiseWalls(docker, container.Config.Image, egress)
    if (container.State.Status === 'exited' || container.State.Status === 'created') await docker.call(['start', container.Id])
    return new KindToolbox(options, container.Config.Image)
  }

  openTerminal({ cols, rows, held }: TerminalOptions): Promise<TerminalProcess> {
    return this.open(this.container, ['bash', '-l'], environment, home, { cols, rows, ...(held ? { held } : {}) })
  }

  exec(argv: readonly string[], { timeout, stdin }: ExecOptions = {}): Promise<ExecResult> {
    return this.options.docker.exec(this.container, argv, {
      environment,
      ...(timeout === undefined ? {} : { timeout }),
      ...(stdin === undefined ? {} : { stdin }),
    })
  }

  async openNodeTerminal(container: string, options: TerminalOptions): Promise<TerminalProcess> {
    const shell = await this.shellFor(container)
    const inside = ['nsenter', '--target=1', '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup']
    return this.open(shell, [...inside, 'env', '--chdir=/root', 'bash', '-l'], nodeEnvironment, '/', options)
  }

  async setKubeconfig(kubeconfig: string): Promise<void> {
    const script = `until test -S ${holderSocket}; do sleep 0.05; done; umask 077; mkdir -p ~/.kube; cat > ~/.kube/config`
    const { exitCode, stderr } = await this.exec(['sh', '-c', script], { stdin: kubeconfig })
    if (exitCode !== 0) throw new Error(`The toolbox did not start: ${stderr.trim() || `exit ${exitCode}`}`)
  }

  async addHomeFiles(folder: string): Promise<void> {
    const { stdout } = await execute('tar', ['-C', folder, '-cf', '-', '.'], {
      encoding: 'buffer',
      maxBuffer: homeLimit,
      env: { ...process.env, COPYFILE_DISABLE: '1' },
    })
    await this.options.docker.call(['exec', '--interactive', this.container, 'tar', '-C', home, '--no-overwrite-dir', '-xf', '-'], {
      stdin: stdout,
    })
  }

  async letGo(): Promise<void> {
    await Promise.all([...this.terminals].map((terminal) => terminal.detach?.()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { docker, id } = this.options
    await this.letGo()
    await docker.remove('container', await docker.list('container', { [ownLabel]: id }))
    await docker.remove('volume', [this.volume])
  }

  private get container(): string {
    return `${this.options.id}-toolbox`
  }

  private get volume(): string {
    return `${this.options.id}-home`
  }

  private async open(
    container: string,
    argv: readonly string[],
    given: Readonly<Record<string, string>>,
    cwd: string,
    { cols, rows, held }: TerminalOptions,
  ): Promise<TerminalProcess> {
    const terminal: TerminalProcess = await openHeldTerminal({
      docker: this.options.docker,
      container,
      id: held?.id ?? randomUUID(),
      seq: held?.seq ?? 0,
      cols,
      rows,
      argv,
      environment: given,
      cwd,
      onClosed: () => void this.terminals.delete(terminal),
    })
    this.terminals.add(terminal)
    return terminal
  }

  /** The container that holds the shells of a node, started at the first of them. */
  private shellFor(node: string): Promise<string> {
    const starting = (this.shells.get(node) ?? Promise.resolve()).then(
      () => this.startShell(node),
      () => this.startShell(node),
    )
    this.shells.set(node, starting)
    return starting
  }

  private async startShell(node: string): Promise<string> {
    const { docker, id, labels, limits } = this.options
    const name = `${id}-shell-${node.replace(/[^\w.-]/g, '').slice(-40)}`
    const [[there], [host]] = await Promise.all([docker.inspect('container', [name]), docker.inspect('container', [node])])
    if (!host) throw new Error('This node does not exist')
    if (there && isOf(there, host)) return name
    // what is there belongs to a node that was started anew since, and has no namespaces any more
    await docker.remove('container', [name])
    await docker.run({
      name,
      image: this.image,
      labels: { ...labels, [ownLabel]: id, [nodeLabel]: bootOf(host) },
      network: `container:${host.Id}`,
      argv: [holderSocket],
      // root on the node is what is asked for: nsenter gives the shell what the node's own processes have; what it starts
      // through containerd or systemd is the node's, the rest is limited as the toolbox is
      flags: ['--privileged', `--pid=container:${host.Id}`, '--user=0:0', '--read-only', '--tmpfs=/run:size=1m', ...limitFlags(limits)],
    })
    await docker.exec(name, ['sh', '-c', `until test -S ${holderSocket}; do sleep 0.05; done`])
    return name
  }
}

/** Toolboxes as an installation has them set. */
export function kindToolboxes(settings: { egress: Egress; image: ToolboxImageOptions }): ClusterToolboxes {
  return {
    start: (options, signal) => KindToolbox.start({ ...options, ...settings }, signal),
    adopt: (options) => KindToolbox.adopt({ ...options, ...settings }),
    image: (docker, signal) => toolboxImage(docker, settings.image, signal),
  }
}

/** On a node's shell container: which start of the node it belongs to. */
const nodeLabel = 'labernetes.node-boot'

function bootOf(node: Container): string {
  return `${node.Id.slice(0, 12)}-${node.State.Pid}`
}

function isOf(shell: Container, node: Container): boolean {
  return shell.State.Status === 'running' && shell.Config.Labels?.[nodeLabel] === bootOf(node)
}

function limitFlags({ memory, cpus, pids }: KindToolboxOptions['limits']): string[] {
  return [`--memory=${memory}`, `--memory-swap=${memory}`, `--cpus=${cpus}`, `--pids-limit=${pids}`]
}

const terminalEnvironment = { TERM: 'xterm-256color', COLORTERM: 'truecolor', LANG: 'C.UTF-8' }

const environment: Readonly<Record<string, string>> = {
  ...terminalEnvironment,
  HOME: home,
  USER: 'learner',
  LOGNAME: 'learner',
  SHELL: '/bin/bash',
  PATH: `${tools}/bin:${home}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
  KUBECONFIG: `${home}/.kube/config`,
  EDITOR: 'nano',
}

const nodeEnvironment: Readonly<Record<string, string>> = {
  ...terminalEnvironment,
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  KUBECONFIG: '/etc/kubernetes/admin.conf',
}
