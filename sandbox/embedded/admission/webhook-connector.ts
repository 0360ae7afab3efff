import { connect as dial } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConversionConnector } from '../crd/conversion.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { type Connection, type Network, NetworkError } from '../network/network.ts'
import { httpsRequest, TlsError, tlsText } from '../network/tls.ts'
import type { ServiceReference } from '../schema/types/admissionregistration.v1.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { WebhookConnector } from './webhook-call.ts'

/**
 * Where the hosts of webhooks' urls are looked for: in the cluster's network, from its control plane's node, or on the machine
 * that this process runs on, whose network a cluster that strangers use must not reach.
 */
export type WebhookReach = 'cluster' | 'machine'

/** Whom to ask, and by which words he is told of when he does not answer. */
interface Endpoint {
  host: string
  port: number
  /** Host and port as they were given. */
  authority: string
  /** With its query. */
  path: string
  url: string
  open(signal: AbortSignal): Promise<Connection | Duplex>
}

/** Calls webhooks by HTTPS with the errors that the API server's client gives. */
export function webhookConnector(
  ctx: Pick<ClusterContext, 'cache' | 'clock'>,
  network: () => Network | undefined,
  controlPlane: string,
  reach: WebhookReach = 'cluster',
): WebhookConnector {
  return async ({ service, url }, review, { timeout, ca }) => {
    const limit = `timeout=${timeout / 1000}s`
    const endpoint = service ? ofService(service, limit) : ofUrl(url ?? '', limit)
    const { host } = endpoint
    const failed = (why: string, cause?: unknown) => new Error(`Post ${JSON.stringify(endpoint.url)}: ${why}`, { cause })
    const body = Buffer.from(JSON.stringify(review))
    const headers = {
      host: endpoint.authority,
      accept: 'application/json, */*',
      'content-type': 'application/json',
      'content-length': String(body.length),
    }
    const ended = new AbortController()
    using _timer = ctx.clock.setTimeout(() => ended.abort(), timeout)
    // Who is outside of the cluster does not go by its clock.
    const signal = !service && reach === 'machine' ? AbortSignal.any([ended.signal, AbortSignal.timeout(timeout)]) : ended.signal
    try {
      const request = { method: 'POST', path: endpoint.path, headers, body }
      const connection = await endpoint.open(signal)
      const answer = await httpsRequest(ctx.clock, connection, request, { host, ...(ca ? { ca } : {}) }, signal)
      if (answer.status !== 200) throw new Error(`the server rejected our request for an unknown reason (status ${answer.status})`)
      return JSON.parse(Buffer.from(answer.body).toString()) as unknown
    } catch (error) {
      if (signal.aborted) throw failed('context deadline exceeded', error)
      if (error instanceof TlsError) throw failed(tlsText(error), error)
      if (error instanceof NetworkError) throw failed(refusal(error, endpoint, service), error)
      throw error
    }
  }

  function ofService({ namespace, name, path = '', port = 443 }: ServiceReference, limit: string): Endpoint {
    const host = `${name}.${namespace}.svc`
    const url = `https://${host}:${port}${path}?${limit}`
    const open = async (signal: AbortSignal) => {
      const ip = addressOf({ namespace, name })
      if (ip === undefined) throw new NetworkError('ENOTFOUND', `service ${JSON.stringify(name)} not found`)
      return await seat().connect(ip, port, signal)
    }
    return { host, port, authority: `${host}:${port}`, path: `${path || '/'}?${limit}`, url, open }
  }

  function ofUrl(text: string, limit: string): Endpoint {
    const parsed = new URL(text)
    const host = parsed.hostname.replace(/^\[|\]$/g, '')
    const port = Number(parsed.port || 443)
    const path = `${parsed.pathname.replace(/(?<=.)\/+$/, '')}?${limit}`
    const open = (signal: AbortSignal) => (reach === 'machine' ? dialed(host, port, signal) : seat().connect(host, port, signal))
    return { host, port, authority: parsed.host, path, url: `${parsed.origin}${path}`, open }
  }

  function seat() {
    const served = network()
    if (!served) throw new NetworkError('ENOTFOUND', 'the network is not up yet')
    return served.node(controlPlane)
  }

  function addressOf(service: Pick<ServiceReference, 'namespace' | 'name'> | undefined): string | undefined {
    if (!service) return undefined
    const found = ctx.cache.get<Service>(resources.services, service.name, service.namespace)
    return found && (found.spec?.clusterIP ?? '')
  }

  /** Go's words for who is not reached. */
  function refusal({ code, message }: NetworkError, { host, port }: Endpoint, service: ServiceReference | undefined): string {
    if (code === 'ECONNREFUSED') return `dial tcp ${addressOf(service) ?? host}:${port}: connect: connection refused`
    if (code !== 'ENOTFOUND' || service) return message
    const [server] = seat().dns.nameservers
    return `dial tcp: lookup ${host}${server ? ` on ${server}:53` : ''}: no such host`
  }
}

/** A connection of this machine. Rejects with NetworkError. */
function dialed(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = dial({ host, port, signal })
    socket.once('connect', () => resolve(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const refused = error.code === 'ECONNREFUSED' || error instanceof AggregateError
      reject(signal.aborted ? signal.reason : new NetworkError(refused ? 'ECONNREFUSED' : 'ENOTFOUND', error.message, { cause: error }))
    })
  })
}

/** The same for the webhooks that convert custom resources. */
export function conversionConnector(connect: WebhookConnector): ConversionConnector {
  return ({ service, url, caBundle }, review) =>
    connect({ ...(service ? { service } : {}), ...(url ? { url } : {}) }, review, {
      timeout: conversionTimeout,
      ca: caBundle === undefined ? undefined : Buffer.from(caBundle, 'base64'),
    })
}

/** ms */
const conversionTimeout = 30_000
