import { hash } from 'node:crypto'
import { resources } from '../machinery/object.ts'
import { randomHex } from '../machinery/random.ts'
import type { PodNetwork } from '../network/network.ts'
import type { RuntimeClass } from '../schema/types/node.v1.ts'
import { CniError, networkProblem, planSandbox } from './cni.ts'
import { podFilesKey, podLabel } from './container-spec.ts'
import { filesOfNode } from './node-files.ts'
import { nodeHostsFile, podFiles } from './pod-files.ts'
import { attachPod } from './pod-network.ts'
import type { PodWorker, WorkerHost } from './pod-worker.ts'

/** The handlers that containerd is configured with on kind's nodes. */
const handlers = new Set(['', 'runc', 'test-handler'])

/** What a pod's containers share: its place in the network and the files that follow from it. */
export class PodSandbox implements Disposable {
  /** While there is one. */
  network: PodNetwork | undefined
  private readonly pod: PodWorker
  private readonly host: WorkerHost

  constructor(pod: PodWorker, host: WorkerHost) {
    this.pod = pod
    this.host = host
  }

  /** Whether the node has a runtime for it; where not, that is told. */
  possible(): boolean {
    const failure = this.runtimeFailure()
    if (!failure) return true
    this.pod.event('Warning', 'FailedCreatePodSandBox', failure)
    this.skipped(failure)
    return false
  }

  /** Gives the pod its network; false where the node's plugin cannot. */
  create(): boolean {
    const { ctx, node, runtime, kubelet } = this.host
    const { pod, record } = this.pod
    const { name, namespace } = pod.metadata
    if (pod.spec?.hostNetwork) record.ip ??= node.ip
    else if (!record.ip) {
      const files = filesOfNode(runtime, node.name)
      const problem = networkProblem(files)
      if (problem) {
        this.pod.event('Warning', 'NetworkNotReady', `network is not ready: ${problem}`)
        kubelet.skipped(pod, `network is not ready: ${problem}`)
        return false
      }
      try {
        const { joint, subnet } = planSandbox(files)
        record.ip = this.host.nextIP(subnet)
        record.joint = joint
      } catch (error) {
        if (!(error instanceof CniError)) throw error
        const id = randomHex(ctx.random, 64)
        const reason = `rpc error: code = Unknown desc = failed to setup network for sandbox "${id}": ${error.message}`
        this.pod.event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${reason}`)
        kubelet.runtimeSays('error', `RunPodSandbox for name:"${name}" namespace:"${namespace}" failed, error`, { error: reason })
        kubelet.say('E', 'log.go:32', 'RunPodSandbox from runtime service failed', { err: reason })
        this.skipped(`Failed to create sandbox for pod ${JSON.stringify(podLabel(pod))}: ${reason}`)
        return false
      }
    }
    this.pod.save()
    runtime.volume(podFilesKey(record.uid)).replace(podFiles(pod, record.ip, node.name, nodeHostsFile(node.name, node.ip)))
    this.attach()
    const of = `RunPodSandbox for name:"${name}" uid:"${record.uid}" namespace:"${namespace}"`
    kubelet.runtimeSays('info', `${of} returns sandbox id "${sandboxId(record.uid)}"`)
    return true
  }

  /** Joins it to the network at the address that it has. */
  attach(): void {
    this.network = attachPod(this.host.ctx, this.host.network, this.pod.record, this.pod.pod)
  }

  [Symbol.dispose](): void {
    this.network?.[Symbol.dispose]()
    this.network = undefined
  }

  private runtimeFailure(): string | undefined {
    const name = this.pod.pod.spec?.runtimeClassName
    if (name === undefined) return undefined
    const found = this.host.ctx.cache.get<RuntimeClass>(resources.runtimeClasses, name)
    if (!found) return `failed to get sandbox runtime: runtimeclass.node.k8s.io ${JSON.stringify(name)} not found`
    if (handlers.has(found.handler)) return undefined
    const why = `failed to get sandbox runtime: no runtime for ${JSON.stringify(found.handler)} is configured`
    return `Failed to create pod sandbox: rpc error: code = Unknown desc = ${why}`
  }

  private skipped(failure: string): void {
    const { pod } = this.pod
    const of = JSON.stringify(podLabel(pod))
    this.host.kubelet.skipped(pod, `failed to "CreatePodSandbox" for ${of} with CreatePodSandboxError: ${JSON.stringify(failure)}`)
  }
}

/** containerd's id of a pod's sandbox. */
export function sandboxId(uid: string): string {
  return hash('sha256', `sandbox/${uid}`)
}
