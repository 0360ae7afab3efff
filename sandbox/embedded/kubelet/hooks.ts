import type { Clock } from '../clock.ts'
import { ContainerError, type Container as RuntimeContainer } from '../containers/runtime.ts'
import { NetworkError, type PodNetwork } from '../network/network.ts'
import type { Container, LifecycleHandler } from '../schema/types/core.v1.ts'
import { portOf, runInContainer } from './probe-handlers.ts'

export interface HookTarget {
  clock: Clock
  network: PodNetwork
  podIP: string
  podName: string
  container: Container
  running: RuntimeContainer
}

/** Runs a postStart or preStop hook to its end. Rejects with an Error whose message is the kubelet's when it fails. */
export async function runHook(target: HookTarget, handler: LifecycleHandler, signal?: AbortSignal): Promise<void> {
  const { clock, network, podIP, podName, container, running } = target
  const where = `for Container "${container.name}" in Pod "${podName}" failed - error:`
  if (handler.exec) {
    const command = handler.exec.command ?? []
    try {
      const { exitCode, output } = await runInContainer(clock, running, command, undefined, signal)
      if (exitCode === 0) return
      const message = `command '${command.join(' ')}' exited with ${exitCode}: ${output}, message: ${JSON.stringify(output)}`
      throw new HookError(`Exec lifecycle hook ([${command.join(' ')}]) ${where} ${message}`)
    } catch (error) {
      if (!(error instanceof ContainerError)) throw error
      throw new HookError(`Exec lifecycle hook ([${command.join(' ')}]) ${where} ${error.message}, message: ""`)
    }
  }
  if (handler.httpGet) {
    const { host, path = '/', port, httpHeaders = [] } = handler.httpGet
    const headers: Record<string, string> = { host: host || podIP, 'user-agent': 'kube-lifecycle/1.34', accept: '*/*' }
    for (const { name, value } of httpHeaders) headers[name.toLowerCase()] = value
    try {
      const answer = await network.http(
        host || podIP,
        portOf(port, container) ?? 80,
        { method: 'GET', path, headers, body: new Uint8Array() },
        signal,
      )
      if (answer.status < 400) return
      throw new HookError(`HTTP lifecycle hook (${path}) ${where} HTTP probe failed with statuscode: ${answer.status}`)
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      throw new HookError(`HTTP lifecycle hook (${path}) ${where} ${error.message}`)
    }
  }
  if (handler.sleep) await clock.sleep(handler.sleep.seconds * 1000, signal)
}

export class HookError extends Error {}
