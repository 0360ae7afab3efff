import { execFile } from 'node:child_process'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import type { WatchEvent } from '../../engine.ts'
import type { LogOptions } from '../machinery/node-api.ts'
import type { StoryCluster } from './story.ts'

const run = promisify(execFile)

/** The cluster of kind that a kubeconfig file leads to, in real time. */
export function realCluster(kubeconfig: string): StoryCluster {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const server = config.getCurrentCluster()?.server
  if (!server) throw new Error(`${kubeconfig} names no server`)
  const ask = async (method: string, path: string, body?: unknown, contentType = 'application/json', signal?: AbortSignal) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    // Node sends no length with a DELETE by itself, and what has none is taken for an empty body.
    const length = text !== undefined && { 'content-length': Buffer.byteLength(text) }
    const options = { method, headers: { 'content-type': contentType, accept: 'application/json', ...length }, ...(signal && { signal }) }
    await config.applyToHTTPSOptions(options)
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = httpsRequest(new URL(path, server), options, resolve)
      sent.once('error', reject)
      sent.end(text)
    })
  }
  return {
    async request({ method, path, body, contentType }) {
      const merge = method === 'PATCH' ? 'application/merge-patch+json' : undefined
      const answer = await ask(method, path, body, contentType ?? merge)
      const text = await textOf(answer)
      const json = answer.headers['content-type']?.startsWith('application/json')
      return { status: answer.statusCode ?? 0, body: json ? JSON.parse(text) : text }
    },
    async watch({ group, version, resource, namespace }, onEvent, signal) {
      const root = group ? `/apis/${group}/${version}` : `/api/${version}`
      const path = `${root}${namespace ? `/namespaces/${namespace}` : ''}/${resource}`
      const listed = JSON.parse(await textOf(await ask('GET', path))) as {
        metadata: { resourceVersion: string }
        items: WatchEvent['object'][]
      }
      for (const object of listed.items) onEvent({ type: 'ADDED', object, time: Date.now() })
      const changes = async () => {
        try {
          const query = `?watch=true&resourceVersion=${listed.metadata.resourceVersion}`
          const answer = await ask('GET', path + query, undefined, undefined, signal)
          for await (const line of createInterface({ input: answer, signal })) {
            const event = JSON.parse(line) as WatchEvent
            onEvent({ ...event, time: Date.now() })
          }
        } catch (error) {
          if (!signal.aborted) throw error
        }
      }
      return { ended: changes() }
    },
    async logs(namespace, pod, options = {}) {
      return await textOf(await ask('GET', logPath(namespace, pod, options)))
    },
    async followLogs(namespace, pod, options, onText, signal) {
      try {
        const answer = await ask('GET', logPath(namespace, pod, { ...options, follow: true }), undefined, undefined, signal)
        for await (const part of answer) onText(String(part))
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
    async onNode(node, line) {
      const { stdout } = await run('docker', ['exec', node, 'bash', '-c', `exec 2>&1\n${line}`]).catch(outputOfFailed)
      return stdout
    },
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }
}

/** What a command wrote that ended with another code than 0, which on a node is nothing unusual. */
function outputOfFailed(error: unknown): { stdout: string } {
  if (error instanceof Error && 'stdout' in error && 'code' in error && typeof error.code === 'number')
    return { stdout: String(error.stdout) }
  throw error
}

function logPath(namespace: string, pod: string, options: LogOptions): string {
  const query = new URLSearchParams(Object.entries(options).map(([name, value]) => [name, String(value)]))
  return `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`
}

async function textOf(answer: IncomingMessage): Promise<string> {
  return Buffer.concat(await answer.toArray()).toString()
}
