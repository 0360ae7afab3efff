import type { HttpResponse } from '../../../network/network.ts'
import type { Process } from '../../kernel/process.ts'
import { parseTarget, request, type Target } from '../../programs/client.ts'

const account = '/var/run/secrets/kubernetes.io/serviceaccount'

/** What client-go finds of the API server inside a pod. */
export interface InClusterConfig {
  server: string
  token: string
  ca: Uint8Array
}

/** Read anew each time, since tokens rotate. Rejects with an Error in client-go's words where the pod has none. */
export async function inClusterConfig(process: Process): Promise<InClusterConfig> {
  const host = process.env.get('KUBERNETES_SERVICE_HOST')
  const port = process.env.get('KUBERNETES_SERVICE_PORT')
  if (!host || !port) {
    throw new Error('unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined')
  }
  const token = Buffer.from(await process.readWhole(`${account}/token`)).toString()
  return { server: `https://${host}:${port}`, token, ca: await process.readWhole(`${account}/ca.crt`) }
}

/** A GET with the pod's own token. Rejects with NetworkError, TlsError or TimeoutFault. */
export function getWithToken(process: Process, url: string, { token, ca }: InClusterConfig): Promise<HttpResponse> {
  const target = parseTarget(url) as Target
  const headers = { host: `${target.host}:${target.port}`, authorization: `Bearer ${token}`, 'user-agent': 'agnhost', accept: '*/*' }
  return request(process, target, { method: 'GET', headers, body: new Uint8Array(), timeoutMs: 30_000, tls: { ca } })
}
