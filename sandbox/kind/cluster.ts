import { setTimeout as sleep } from 'node:timers/promises'
import type { WatchedObject } from '../engine.ts'
import { listObjects, sentence } from '../manifests.ts'
import { KubeApi } from './api.ts'
import { memoryCgroup, reclaimMemory } from './cgroup.ts'
import type { Container, Docker } from './docker.ts'
import { type Identity, issueClient, type KeyPair, kubeconfigOf } from './pki.ts'
import type { ClusterRecord } from './records.ts'
import type { NodePlan } from './shape.ts'

/** The control plane's name on the cluster's own network, which its API server's certificate has too. */
export const serverAddress = 'https://labernetes-control-plane:6443'
const apiPort = 6443

/** On every object of a cluster: the name in its record. */
export const clusterLabel = 'labernetes.cluster'

/** A cluster whose containers run, with the API client of this process. */
export class KindCluster implements Disposable {
  readonly record: ClusterRecord
  readonly docker: Docker
  readonly api: KubeApi
  private readonly authority: KeyPair

  private constructor(docker: Docker, record: ClusterRecord, authority: KeyPair, port: number) {
    this.docker = docker
    this.record = record
    this.authority = authority
    const { certificate, key } = issueClient(authority, { username: 'labernetes', groups: ['system:masters'] })
    this.api = new KubeApi({ host: '127.0.0.1', port, ca: authority.certificate, cert: certificate, key })
  }

  /** Rejects when the control plane publishes no API port. Reads the cluster's authority when the record has none. */
  static async connect(docker: Docker, record: ClusterRecord): Promise<KindCluster> {
    const { container } = controlPlane(record)
    const port = await docker.publishedPort(container, apiPort)
    if (port === null) throw new Error(`${container} publishes no API port`)
    record.authority ??= await readAuthority(docker, container)
    return new KindCluster(docker, record, record.authority, port)
  }

  get containers(): string[] {
    return this.record.nodes.map(({ container }) => container)
  }

  /** A kubeconfig for use on the cluster's network, with a certificate that nobody had before. */
  kubeconfig(user: Identity): string {
    const pair = issueClient(this.authority, user)
    return kubeconfigOf({ server: serverAddress, ca: this.authority.certificate, username: user.username, pair })
  }

  /** Resolves when all nodes are Ready (unless the shape has no Pod network) and Pods can be made. Rejects with what is not ready. */
  async untilReady(timeout: number, signal?: AbortSignal): Promise<void> {
    const { shape, nodes } = this.record
    const deadline = performance.now() + timeout
    let last = 'the API server does not answer'
    while (performance.now() < deadline) {
      signal?.throwIfAborted()
      last = await this.whatIsNotReady(nodes, shape.cni !== 'none').catch((error: Error) => error.message)
      if (last === '') return
      await sleep(150, undefined, signal ? { signal } : undefined)
    }
    throw new Error(`The cluster is not ready after ${timeout / 1000} s: ${last}.`)
  }

  /** As connect, for a cluster whose nodes may be stopped or frozen; resolves when it is healthy. */
  static async restart(docker: Docker, record: ClusterRecord, timeout: number): Promise<KindCluster> {
    await startNodes(docker, record)
    const cluster = await KindCluster.connect(docker, record)
    try {
      await cluster.untilReady(timeout)
      return cluster
    } catch (error) {
      cluster[Symbol.dispose]()
      throw error
    }
  }

  /** Starts stopped nodes, unfreezes frozen ones and waits until the cluster is healthy. */
  async start(timeout: number, signal?: AbortSignal): Promise<void> {
    await startNodes(this.docker, this.record)
    const port = await this.docker.publishedPort(controlPlane(this.record).container, apiPort)
    if (port !== null) this.api.moveTo(port)
    await this.untilReady(timeout, signal)
  }

  /** Freezes nodes and toolbox where they are, and lets the kernel have what memory it can take of them. */
  async freeze(): Promise<void> {
    const containers = await everyContainer(this.docker, this.record)
    await freezeOrThaw(this.docker, containers, 'pause')
    for (const { Id, State } of containers) {
      const cgroup = await memoryCgroup(Id, State.Pid)
      if (cgroup) await reclaimMemory(cgroup)
    }
  }

  /** Ends the nodes' processes, which gives all their memory back; start() brings them up from their disks. */
  async stop(): Promise<void> {
    const nodes = await this.docker.inspect('container', this.containers)
    await freezeOrThaw(this.docker, nodes, 'unpause')
    const running = nodes.filter(({ State }) => State.Status === 'running' || State.Status === 'paused').map(({ Id }) => Id)
    if (running.length > 0) await this.docker.call(['kill', ...running])
  }

  [Symbol.dispose](): void {
    this.api[Symbol.dispose]()
  }

  /** '' when everything is ready. */
  private async whatIsNotReady(nodes: readonly NodePlan[], withNetwork: boolean): Promise<string> {
    if (!(await this.api.ready())) return 'the API server does not answer'
    const found = await listObjects((request) => this.api.request(request), { group: '', version: 'v1', resource: 'nodes' })
    for (const { name } of nodes) {
      const node = found.find(({ metadata }) => metadata.name === name)
      if (!node) return `node ${name} has not joined`
      if (withNetwork && !isReady(node)) return `node ${name} is not Ready`
    }
    const account = await this.api.request({ method: 'GET', path: '/api/v1/namespaces/default/serviceaccounts/default' })
    return account.status === 200 ? '' : sentence(account)
  }
}

/** Removes whatever there is of a cluster: containers with their volumes, then networks and volumes by name and label. */
export async function removeCluster(docker: Docker, labels: Readonly<Record<string, string>>): Promise<void> {
  await docker.remove('container', await docker.list('container', labels))
  await docker.remove('network', await docker.list('network', labels))
  await docker.remove('volume', await docker.list('volume', labels))
}

export function controlPlane({ nodes }: ClusterRecord): NodePlan {
  const [first] = nodes
  if (!first) throw new Error('A cluster without nodes')
  return first
}

/** Nodes and toolbox. */
async function everyContainer(docker: Docker, { name }: ClusterRecord): Promise<Container[]> {
  return docker.inspect('container', await docker.list('container', { [clusterLabel]: name }))
}

async function startNodes(docker: Docker, record: ClusterRecord): Promise<void> {
  const containers = await everyContainer(docker, record)
  await freezeOrThaw(docker, containers, 'unpause')
  const stopped = containers.filter(({ State }) => State.Status !== 'running' && State.Status !== 'paused').map(({ Id }) => Id)
  if (stopped.length > 0) await docker.call(['start', ...stopped], { timeout: 120_000 })
}

const freezeTries = 6

async function freezeOrThaw(docker: Docker, containers: readonly Container[], verb: 'pause' | 'unpause'): Promise<void> {
  const from = verb === 'pause' ? 'running' : 'paused'
  for (const { Id, State } of containers)
    for (let tries = 1; State.Status === from; tries++) {
      try {
        await docker.call([verb, Id])
        break
      } catch (error) {
        // on cgroup v1 a container whose processes fork all the time slips through the freezer's fingers (runc gives up)
        if (tries === freezeTries || !/unable to freeze/.test((error as Error).message)) throw error
        await sleep(500)
      }
    }
}

/** The authority that kubeadm made in the control plane. */
async function readAuthority(docker: Docker, container: string): Promise<KeyPair> {
  const { exitCode, stdout, stderr } = await docker.exec(container, ['cat', '/etc/kubernetes/pki/ca.crt', '/etc/kubernetes/pki/ca.key'])
  const end = stdout.indexOf('-----END CERTIFICATE-----\n') + '-----END CERTIFICATE-----\n'.length
  if (exitCode !== 0) throw new Error(`The cluster's certificate authority cannot be read: ${stderr.trim()}`)
  return { certificate: stdout.slice(0, end), key: stdout.slice(end) }
}

function isReady(node: WatchedObject): boolean {
  const { conditions = [] } = (node['status'] ?? {}) as { conditions?: { type: string; status: string }[] }
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}
