import { Cluster } from '../cluster.ts'
import { Server } from './server.ts'

/** Our API server alone, at a clock that stands still, with what a real one's controllers had made before they were stopped. */
export async function quietCluster(
  report?: (where: string, error: unknown) => void,
): Promise<{ cluster: Cluster; server: Server } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const cluster = stack.use(await Cluster.open({ nodes: 0, only: 'api', clock: { rate: 0 }, ...(report ? { report } : {}) }))
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  const server = stack.use(new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` })))
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  await server.send('POST', '/api/v1/namespaces/default/serviceaccounts', account)
  const parts = stack.move()
  return { cluster, server, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}
