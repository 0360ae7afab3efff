import { ClusterIdentity } from '../auth/certificates.ts'
import { ServiceAccountTokens } from '../auth/tokens.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Secret, ServiceAccount } from '../schema/types/core.v1.ts'
import { WorkQueue } from './queue.ts'

/** Fills Secrets of type kubernetes.io/service-account-token with a token of their ServiceAccount, and ends them with it. */
export function startTokenSecret(context: ClusterContext): Disposable {
  const { cache, client, clock, records } = context
  const identity = new ClusterIdentity(records, clock)
  const tokens = new ServiceAccountTokens(identity, cache, clock)
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: 'serviceaccount-token' }))
  stack.use(
    cache.watch<Secret>(resources.secrets, ({ type, object }) => {
      if (type !== 'DELETED' && object.type === tokenType) queue.add(`${object.metadata.namespace}/${object.metadata.name}`)
    }),
  )
  stack.use(
    cache.watch<ServiceAccount>(resources.serviceAccounts, ({ object }) => {
      for (const secret of cache.list<Secret>(resources.secrets, object.metadata.namespace)) {
        if (secret.metadata.annotations?.[nameAnnotation] === object.metadata.name) {
          queue.add(`${secret.metadata.namespace}/${secret.metadata.name}`)
        }
      }
    }),
  )
  return stack

  async function sync(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const secret = cache.get<Secret>(resources.secrets, name, namespace)
    if (!secret || secret.type !== tokenType || secret.metadata.deletionTimestamp) return
    const account = cache.get<ServiceAccount>(resources.serviceAccounts, secret.metadata.annotations?.[nameAnnotation] ?? '', namespace)
    const claimed = secret.metadata.annotations?.[uidAnnotation]
    try {
      if (!account || (claimed && claimed !== account.metadata.uid)) await client.delete(resources.secrets, name, namespace)
      else if (!claimed || !secret.data?.['token'] || !secret.data['ca.crt'] || !secret.data['namespace']) {
        await client.update<Secret>(resources.secrets, filled(secret, account))
      }
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  function filled(secret: Secret, account: ServiceAccount): Secret {
    const namespace = secret.metadata.namespace as string
    const uid = account.metadata.uid as string
    const token = () => tokens.issueLegacy(namespace, { name: account.metadata.name as string, uid }, secret.metadata.name as string)
    const data = {
      'ca.crt': base64(identity.caCertificate),
      namespace: base64(namespace),
      token: secret.data?.['token'] ?? base64(token()),
    }
    const annotations = { ...secret.metadata.annotations, [uidAnnotation]: uid }
    return { ...secret, metadata: { ...secret.metadata, annotations }, data: { ...secret.data, ...data } }
  }
}

const tokenType = 'kubernetes.io/service-account-token'
const nameAnnotation = 'kubernetes.io/service-account.name'
const uidAnnotation = 'kubernetes.io/service-account.uid'

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
