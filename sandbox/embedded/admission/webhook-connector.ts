import type { ConversionConnector } from '../crd/conversion.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { type Network, NetworkError } from '../network/network.ts'
import { httpsRequest, TlsError, tlsText } from '../network/tls.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { WebhookConnector } from './webhook-call.ts'

/**
 * Calls webhooks by HTTPS over the cluster's network from the control plane's node, with the errors that the API server's
 * client gives.
 */
export function webhookConnector(
  ctx: Pick<ClusterContext, 'cache' | 'clock'>,
  network: () => Network | undefined,
  controlPlane: string,
): WebhookConnector {
  return async ({ namespace, name, path = '', port = 443 }, review, { timeout, ca }) => {
    const host = `${name}.${namespace}.svc`
    const url = `https://${host}:${port}${path}?timeout=${timeout / 1000}s`
    const failed = (why: string, cause?: unknown) => new Error(`Post ${JSON.stringify(url)}: ${why}`, { cause })
    const service = ctx.cache.get<Service>(resources.services, name, namespace)
    if (!service) throw failed(`service ${JSON.stringify(name)} not found`)
    const served = network()
    if (!served) throw failed('the network is not up yet')
    const ip = service.spec?.clusterIP ?? ''
    const body = Buffer.from(JSON.stringify(review))
    const headers = { host, accept: 'application/json, */*', 'content-type': 'application/json', 'content-length': String(body.length) }
    const ended = new AbortController()
    using _timer = ctx.clock.setTimeout(() => ended.abort(), timeout)
    try {
      const request = { method: 'POST', path: `${path || '/'}?timeout=${timeout / 1000}s`, headers, body }
      const connection = await served.node(controlPlane).connect(ip, port, ended.signal)
      const answer = await httpsRequest(ctx.clock, connection, request, { host, ...(ca ? { ca } : {}) }, ended.signal)
      if (answer.status !== 200) throw new Error(`the server rejected our request for an unknown reason (status ${answer.status})`)
      return JSON.parse(Buffer.from(answer.body).toString()) as unknown
    } catch (error) {
      if (ended.signal.aborted) throw failed('context deadline exceeded', error)
      if (error instanceof NetworkError && error.code === 'ECONNREFUSED')
        throw failed(`dial tcp ${ip}:${port}: connect: connection refused`, error)
      if (error instanceof TlsError) throw failed(tlsText(error, host), error)
      if (error instanceof NetworkError) throw failed(error.message, error)
      throw error
    }
  }
}

/** The same for the webhooks that convert custom resources. */
export function conversionConnector(connect: WebhookConnector): ConversionConnector {
  return ({ service, url, caBundle }, review) => {
    if (!service) throw new Error(`webhooks by url are not called from this cluster: ${url}`)
    return connect(service, review, {
      timeout: conversionTimeout,
      ca: caBundle === undefined ? undefined : Buffer.from(caBundle, 'base64'),
    })
  }
}

/** ms */
const conversionTimeout = 30_000
