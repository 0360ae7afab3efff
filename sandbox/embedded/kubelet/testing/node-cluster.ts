import { expect, onTestFinished } from 'vitest'
import { Cluster } from '../../cluster.ts'
import { resources } from '../../machinery/object.ts'
import type { Node, Pod, PodSpec } from '../../schema/types/core.v1.ts'

/** A whole cluster on a clock that stands still, with shells on its nodes; errors that have no caller fail the test. */
export async function nodeCluster(nodes: number, options: { cni?: 'none' } = {}) {
  const errors: unknown[] = []
  const start = Date.parse('2030-01-01T00:00:00Z')
  const cluster = await Cluster.open({
    nodes,
    ...options,
    clock: { start, rate: 0 },
    report: (where, error) => errors.push([where, error]),
  })
  onTestFinished(async () => {
    await cluster[Symbol.asyncDispose]()
    expect(errors).toEqual([])
  })
  await cluster.advance(10_000)
  const { cache } = cluster.context
  return {
    cluster,
    /** What a command prints on a node, errors too, and its exit code; `seconds` of cluster time at most. */
    async shell(name: string, command: string, seconds = 60): Promise<{ text: string; code: number | undefined }> {
      const process = cluster.nodeShell(name, ['bash', '-c', command], { tty: false, stdin: false })
      let text = ''
      process.onOutput((_stream, data) => {
        text += Buffer.from(data).toString()
      })
      let code: number | undefined
      void process.exited.then(({ exitCode }) => {
        code = exitCode
      })
      for (let step = 0; code === undefined && step < seconds * 10; step++) await cluster.advance(100)
      return { text, code }
    },
    async create(name: string, spec: Partial<PodSpec> & { image?: string }): Promise<void> {
      const { image = 'nginx:1.27', ...rest } = spec
      const full = { terminationGracePeriodSeconds: 2, containers: [{ name: 'c', image }], ...rest }
      const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: full }
      expect(await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })).toMatchObject({ status: 201 })
    },
    pod: (name: string, namespace = 'default') => cache.get<Pod>(resources.pods, name, namespace),
    node: (name: string) => cache.get<Node>(resources.nodes, name),
    condition: (name: string, type: string) =>
      cache.get<Node>(resources.nodes, name)?.status?.conditions?.find((condition) => condition.type === type),
    taints: (name: string) => (cache.get<Node>(resources.nodes, name)?.spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`),
  }
}
