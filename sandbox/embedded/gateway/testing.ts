import { applyManifests } from '../../manifests.ts'
import { Cluster } from '../cluster.ts'
import type { KubeObject } from '../machinery/object.ts'

/** A cluster of a still clock with the gateway in it, a client Pod, and servers that say who they are. */
export class GatewayWorld implements AsyncDisposable {
  readonly cluster: Cluster
  readonly errors: unknown[]

  private constructor(cluster: Cluster, errors: unknown[]) {
    this.cluster = cluster
    this.errors = errors
  }

  static async open(): Promise<GatewayWorld> {
    const errors: unknown[] = []
    const cluster = await Cluster.open({
      nodes: 2,
      addons: ['gateway'],
      clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 },
      report: (where, error) => errors.push([where, error]),
    })
    const world = new GatewayWorld(cluster, errors)
    await cluster.advance(30_000)
    await world.apply(`
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec: {containers: [{name: c, image: 'curlimages/curl:8.9.1', command: [sleep, '1000000']}]}
`)
    return world
  }

  /** Applies, and lets half a minute pass. */
  async apply(manifests: string): Promise<void> {
    await applyManifests((request) => this.cluster.request(request), manifests)
    await this.cluster.advance(30_000)
  }

  async delete(path: string): Promise<void> {
    await this.cluster.request({ method: 'DELETE', path })
    await this.cluster.advance(40_000)
  }

  async object<T extends KubeObject>(path: string): Promise<T> {
    return (await this.cluster.request({ method: 'GET', path })).body as T
  }

  /** What the Pod's only container has written so far. */
  async logs(pod: string): Promise<string> {
    const parts = await Array.fromAsync(await this.cluster.nodeApi.logs('default', pod, {}, new AbortController().signal))
    return Buffer.concat(parts).toString()
  }

  /** What the client Pod's curl prints. */
  async curl(...args: string[]): Promise<string> {
    const process = await this.cluster.nodeApi.exec('default', 'client', {
      command: ['curl', '-s', '--max-time', '20', ...args],
      stdin: false,
      stdout: true,
      stderr: true,
      tty: false,
    })
    let output = ''
    process.onOutput((_stream, data) => {
      output += Buffer.from(data).toString()
    })
    let over = false
    void process.exited.then(() => {
      over = true
    })
    for (let step = 1; !over; step = Math.min(1000, step * 2)) await this.cluster.advance(step)
    return output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
  }
}

/** A Deployment and Service of a server whose answers show who it is and what it was asked. */
export function echo(name: string, namespace = 'default', replicas = 1): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - {name: echo, image: 'traefik/whoami:v1.10', args: [--name=${name}], ports: [{name: http, containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 80, targetPort: http}]}
---
`
}
