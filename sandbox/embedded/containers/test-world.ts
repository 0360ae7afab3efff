import { ClusterClock } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import type { Connection, Listener, PodNetwork } from '../network/network.ts'
import { NetworkError } from '../network/network.ts'
import { createRuntime, type LocalRuntime } from './index.ts'
import type { Container, ContainerSpec } from './runtime.ts'

/** A cluster's surroundings for tests of containers: a clock, records and a network in which every host is this one. */
export class World {
  readonly clock: ClusterClock
  readonly entries = new Map<string, unknown>()
  readonly reported: string[] = []
  readonly ctx: ClusterContext
  readonly runtime: LocalRuntime
  readonly network: PodNetwork
  /** By protocol and port. */
  private readonly ports = new Map<string, Listener>()
  private count = 0

  constructor(options: { rate?: number; records?: ReadonlyMap<string, unknown>; start?: number } = {}) {
    this.clock = new ClusterClock({ start: options.start ?? Date.UTC(2026, 10, 21, 10, 0, 0), rate: options.rate ?? 0 })
    for (const [key, value] of options.records ?? []) this.entries.set(key, copyOf(value))
    const { entries } = this
    let seed = 7
    const unused = new Proxy({}, { get: (_, name) => () => Promise.reject(new Error(`no API here: ${String(name)}`)) })
    this.ctx = {
      clock: this.clock,
      client: unused as ClusterContext['client'],
      cache: unused as ClusterContext['cache'],
      events: unused as ClusterContext['events'],
      records: {
        get: <T>(key: string) => entries.get(key) as T | undefined,
        put: (key, value) => void entries.set(key, JSON.parse(JSON.stringify(value))),
        delete: (key) => void entries.delete(key),
        keys: (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)),
      },
      random: () => {
        seed = (seed * 1103515245 + 12345) % 2147483648
        return seed / 2147483648
      },
      signal: new AbortController().signal,
      report: (where, error) =>
        void this.reported.push(`${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    }
    this.network = this.loopback()
    this.runtime = createRuntime(this.ctx, { network: () => this.network })
  }

  spec(over: Partial<ContainerSpec> = {}): ContainerSpec {
    const number = String(++this.count).padStart(4, '0')
    return {
      id: `c0ffee${number}`.padEnd(64, '0'),
      podUID: `uid-${number}`,
      podNamespace: 'default',
      podName: `pod-${number}`,
      name: 'main',
      image: 'busybox:1.36',
      env: [],
      tty: false,
      stdin: false,
      mounts: [],
      network: this.network,
      hostname: `pod-${number}`,
      ...over,
    }
  }

  async run(over: Partial<ContainerSpec>): Promise<Container> {
    const container = await this.runtime.create(this.spec(over))
    await container.start()
    return container
  }

  /** Runs a command in a container and waits for its end, cluster time passing as it must. */
  async exec(
    container: Container,
    argv: string[],
    stdin?: string | Uint8Array,
  ): Promise<{ code: number; stdout: string; stderr: string; bytes: Buffer }> {
    const process = await container.exec(argv, { tty: false, stdin: stdin !== undefined })
    const out: Uint8Array[] = []
    let stderr = ''
    process.onOutput((stream, data) => {
      if (stream === 'stdout') out.push(data)
      else stderr += Buffer.from(data).toString()
    })
    if (stdin !== undefined) {
      process.write(typeof stdin === 'string' ? Buffer.from(stdin) : stdin)
      process.closeStdin()
    }
    let code: number | undefined
    void process.exited.then((exit) => {
      code = exit.exitCode
    })
    for (let step = 0; code === undefined && step < 2000; step++) await this.clock.advance(step < 100 ? 10 : 1000)
    if (code === undefined) throw new Error(`${argv.join(' ')} does not end`)
    const bytes = Buffer.concat(out)
    return { code, stdout: bytes.toString(), stderr, bytes }
  }

  text(container: Container): string {
    return container.log
      .lines()
      .map((line) => line.text)
      .join('')
  }

  private loopback(): PodNetwork {
    const { ports } = this
    const peer = { ip: '10.244.1.9', port: 40000 }
    return {
      ip: '10.244.1.5',
      dns: { nameservers: ['10.96.0.10'], searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'], ndots: 5 },
      listen: (port, listener, _host, protocol = 'TCP') => {
        const key = `${protocol}/${port}`
        if (ports.has(key)) throw new NetworkError('EADDRINUSE', 'address already in use')
        ports.set(key, listener)
        return { [Symbol.dispose]: () => void (ports.get(key) === listener && ports.delete(key)) }
      },
      connect: async (host, port, _signal, protocol = 'TCP') => {
        const listener = ports.get(`${protocol}/${port}`)
        this.demandHost(host)
        if (!listener || !('accept' in listener)) throw new NetworkError('ECONNREFUSED', 'connection refused')
        const [near, far] = pair(peer, { ip: '10.244.1.5', port })
        listener.accept(far)
        return near
      },
      http: async (host, port, request) => {
        this.demandHost(host)
        const listener = ports.get(`TCP/${port}`)
        if (!listener || !('http' in listener)) throw new NetworkError('ECONNREFUSED', 'connection refused')
        return listener.http(request, peer)
      },
      resolve: async (name, type = 'A') => {
        this.demandHost(name)
        return [{ name, type, ttl: 30, data: '10.244.1.5' }]
      },
      lookup: async (name) => {
        this.demandHost(name)
        return name === 'localhost' ? '127.0.0.1' : /^[\d.]+$/.test(name) ? name : '10.244.1.5'
      },
      echo: () => ({ ttl: 64 }),
      listeners: () =>
        [...ports.keys()].map((key) => {
          const [protocol = '', port = ''] = key.split('/')
          return { host: '0.0.0.0', port: Number(port), protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp' }
        }),
      [Symbol.dispose]: () => ports.clear(),
    }
  }

  private demandHost(host: string): void {
    if (host.includes('nowhere')) throw new NetworkError('ENOTFOUND', `no such host ${host}`)
  }
}

function pair(a: { ip: string; port: number }, b: { ip: string; port: number }): [Connection, Connection] {
  const make = (remote: typeof a, local: typeof a) => {
    const data = new Set<(chunk: Uint8Array) => void>()
    const ends = new Set<() => void>()
    const early: Uint8Array[] = []
    let ended = false
    const end: Connection & {
      deliver: (chunk: Uint8Array) => void
      finish: () => void
      other?: { deliver: (chunk: Uint8Array) => void; finish: () => void }
    } = {
      remote,
      local,
      write: (chunk) => end.other?.deliver(chunk.slice()),
      end: () => end.other?.finish(),
      onData: (listener) => {
        data.add(listener)
        for (const chunk of early.splice(0)) listener(chunk)
        return { [Symbol.dispose]: () => void data.delete(listener) }
      },
      onEnd: (listener) => {
        if (ended) listener()
        ends.add(listener)
        return { [Symbol.dispose]: () => void ends.delete(listener) }
      },
      deliver: (chunk) => {
        if (data.size === 0) early.push(chunk)
        for (const listener of data) listener(chunk)
      },
      finish: () => {
        if (ended) return
        ended = true
        for (const listener of ends) listener()
      },
      [Symbol.dispose]: () => end.other?.finish(),
    }
    return end
  }
  const near = make(b, a)
  const far = make(a, b)
  near.other = far
  far.other = near
  return [near, far]
}
