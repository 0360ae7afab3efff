import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import type { Text } from '../text.ts'
import { enterNetwork, listenInside } from './listen.ts'

/** What a sandbox's cluster looks like from a machine on its nodes' network. */
export interface Surroundings {
  /**
   * Unix socket that carries connections to the cluster's addresses: `IP PORT` and a newline are said first, `+` is the answer to a
   * connection that stands.
   */
  readonly socket: string
  /** Hears at once and at each change which addresses there are, and what becomes of connections to their ports. */
  follow(listener: (view: SurroundingsView) => void): Disposable
}

export interface SurroundingsView {
  /** The network they are on: 172.18.0.0/16. */
  network: string
  addresses: readonly { ip: string; open: readonly number[]; silent: readonly number[] }[]
}

/** Connections from one toolbox to its cluster's addresses at once; more are reset. */
const mostConnections = 128
/** The device on which the network is, as Docker calls its bridges on the machine that kind runs on. */
const bridge = 'br-kind'
/** Of the table whose only route leads to where nobody answers. */
const nowhere = 100

/**
 * Puts a cluster's addresses into a toolbox's network: each address is one of the namespace's own, with a listening socket
 * for each port that answers, which belongs to this process; the kernel refuses the other ports. What the cluster drops is
 * routed to a bridge without ports, where packets are lost, and so is the rest of the nodes' network. So nothing runs in the
 * jail, nothing leaves it but by sockets that this process accepts, and each of them leads to one address of one cluster.
 */
export function reachAddresses(holder: number, surroundings: Surroundings, notice: (text: Text) => void): AsyncDisposable {
  const relay = new AddressRelay(holder, surroundings.socket, notice)
  const following = surroundings.follow((view) => relay.want(view))
  return {
    async [Symbol.asyncDispose]() {
      following[Symbol.dispose]()
      await relay[Symbol.asyncDispose]()
    },
  }
}

class AddressRelay implements AsyncDisposable {
  private readonly holder: number
  private readonly socket: string
  private readonly notice: (text: Text) => void
  private readonly servers = new Map<string, Server>()
  private readonly sockets = new Set<Socket>()
  private connections = 0
  private network: string | undefined
  private addresses = new Set<string>()
  private silent = new Set<string>()
  private wanted: SurroundingsView | undefined
  private working: Promise<void> | undefined
  private ended = false
  private told = false

  constructor(holder: number, socket: string, notice: (text: Text) => void) {
    this.holder = holder
    this.socket = socket
    this.notice = notice
  }

  /** The last view that was wanted comes to be; those in between need not. */
  want(view: SurroundingsView): void {
    this.wanted = view
    this.working ??= this.work()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ended = true
    await this.working
    for (const socket of this.sockets) socket.destroy()
    await Promise.all([...this.servers.values()].map(closed))
  }

  private async work(): Promise<void> {
    try {
      while (this.wanted && !this.ended) {
        const view = this.wanted
        this.wanted = undefined
        await this.arrange(view)
      }
    } catch (error) {
      // What cannot be done now cannot be done at the next change either; the learner reads it once.
      if (this.told) return
      this.told = true
      this.notice({
        en: `The cluster's addresses cannot be reached from this shell (kubectl port-forward can be used): ${(error as Error).message}`,
        zh: `在此 shell 中无法访问集群的地址（可改用 kubectl port-forward）：${(error as Error).message}`,
      })
    } finally {
      this.working = undefined
    }
  }

  private async arrange({ network, addresses }: SurroundingsView): Promise<void> {
    const ips = new Set(addresses.map(({ ip }) => ip))
    const silent = new Set(addresses.flatMap(({ ip, silent: ports }) => ports.map((port) => `${ip}:${port}`)))
    const open = new Set(addresses.flatMap(({ ip, open: ports }) => ports.map((port) => `${ip}:${port}`)))
    for (const [key, server] of this.servers) {
      if (open.has(key)) continue
      this.servers.delete(key)
      void closed(server)
    }
    const commands = [
      ...(this.network === undefined ? [...foundation(network)] : []),
      ...[...ips].filter((ip) => !this.addresses.has(ip)).flatMap((ip) => [`addr add ${ip}/32 dev lo`, deaf(ip)]),
      ...[...this.addresses].filter((ip) => !ips.has(ip)).map((ip) => `addr del ${ip}/32 dev lo`),
      ...[...silent].filter((key) => !this.silent.has(key)).map((key) => `rule add ${silence(key)}`),
      ...[...this.silent].filter((key) => !silent.has(key)).map((key) => `rule del ${silence(key)}`),
    ]
    if (commands.length > 0) await configure(this.holder, commands)
    this.network = network
    this.addresses = ips
    this.silent = silent
    const missing = [...open].filter((key) => !this.servers.has(key))
    if (missing.length === 0) return
    const begin = (server: Server, key: string) => {
      const [ip = '', port = ''] = key.split(':')
      // Who has said all it has to say may still want the answer.
      Object.assign(server, { allowHalfOpen: true })
      server.on('connection', (socket) => this.carry(socket, ip, port))
    }
    for (const [key, server] of await listenInside(this.holder, missing, begin)) this.servers.set(key, server)
  }

  private carry(socket: Socket, ip: string, port: string): void {
    socket.on('error', () => undefined)
    if (this.connections >= mostConnections || this.ended) {
      socket.resetAndDestroy()
      return
    }
    this.connections++
    const far = connect({ path: this.socket, allowHalfOpen: true })
    let stands = false
    far.on('error', () => undefined)
    socket.on('close', () => {
      this.connections--
      far.destroy()
    })
    far.on('close', () => {
      if (stands) socket.destroySoon()
      else socket.resetAndDestroy()
    })
    for (const end of [socket, far]) {
      this.sockets.add(end)
      end.on('close', () => this.sockets.delete(end))
    }
    far.write(`${ip} ${port}\n`)
    far.once('data', (first: Buffer) => {
      stands = true
      far.pause()
      if (first.length > 1) socket.write(first.subarray(1))
      socket.pipe(far).pipe(socket)
    })
  }
}

/** The network with nobody on it. Rules of one's own have to come before the table of local addresses. */
function foundation(network: string): string[] {
  const [base = '', prefix = ''] = network.split('/')
  const own = base.replace(/\d+$/, (last) => `${Number(last) + 1}`)
  return [
    `link add ${bridge} type bridge`,
    `addr add ${own}/${prefix} dev ${bridge}`,
    `link set ${bridge} up`,
    `route add ${network} dev ${bridge} table ${nowhere}`,
    'rule add pref 100 lookup local',
    'rule del pref 0',
  ]
}

/** On the bridge an address has a MAC that nobody has: packets to it get lost without anybody's asking for it. */
function deaf(ip: string): string {
  return `neigh replace ${ip} lladdr 02:42:00:00:00:01 dev ${bridge} nud permanent`
}

function silence(key: string): string {
  const [ip, port] = key.split(':')
  return `pref 10 to ${ip}/32 ipproto tcp dport ${port} lookup ${nowhere}`
}

async function configure(holder: number, commands: readonly string[]): Promise<void> {
  const [command = '', ...args] = [...enterNetwork(holder), 'ip', '-batch', '-']
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] })
  const problems: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => problems.push(chunk))
  const exited = once(child, 'close')
  child.stdin.on('error', () => undefined)
  child.stdin.end(`${commands.join('\n')}\n`)
  const [code] = await exited
  if (code !== 0) throw new Error(`ip: ${Buffer.concat(problems).toString('utf8').trim() || `exit ${code}`}`)
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
