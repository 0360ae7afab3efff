import { ClusterIdentity } from '../auth/certificates.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isApiError, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { ConfigMap, Namespace } from '../schema/types/core.v1.ts'
import { WorkQueue } from './queue.ts'

/** Every namespace has the cluster's CA in a ConfigMap, for the pods that talk to the API. */
export function startRootCa(context: ClusterContext): Disposable {
  const { cache, client } = context
  const identity = new ClusterIdentity(context.records, context.clock)
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: 'root-ca-certificate-publisher' }))
  stack.use(cache.watch<Namespace>(resources.namespaces, ({ object }) => queue.add(object.metadata.name as string)))
  stack.use(
    cache.watch<ConfigMap>(resources.configMaps, ({ object }) => {
      if (object.metadata.name === name) queue.add(object.metadata.namespace as string)
    }),
  )
  return stack

  async function sync(namespace: string): Promise<void> {
    const found = cache.get<Namespace>(resources.namespaces, namespace)
    if (!found || found.status?.phase === 'Terminating') return
    const data = { 'ca.crt': identity.caCertificate }
    const existing = cache.get<ConfigMap>(resources.configMaps, name, namespace)
    try {
      if (!existing) {
        const metadata = { name, namespace, annotations: { [descriptionAnnotation]: description } }
        await client.create<ConfigMap>(resources.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, { namespace })
      } else if (existing.data?.['ca.crt'] !== data['ca.crt'] || !existing.metadata.annotations?.[descriptionAnnotation]) {
        const annotations = { ...existing.metadata.annotations, [descriptionAnnotation]: description }
        await client.update<ConfigMap>(resources.configMaps, { ...existing, metadata: { ...existing.metadata, annotations }, data })
      }
    } catch (error) {
      if (!isAlreadyExists(error) && !isNotFound(error) && !isApiError(error, 'Forbidden')) throw error
    }
  }
}

const name = 'kube-root-ca.crt'
const descriptionAnnotation = 'kubernetes.io/description'
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.'
