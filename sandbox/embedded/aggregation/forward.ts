import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ApiCall } from '../api/call.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources, type UserInfo } from '../machinery/object.ts'
import { type Network, NetworkError } from '../network/network.ts'
import { openTls, TlsError, tlsText } from '../network/tls.ts'
import type { APIService } from '../schema/types/apiregistration.v1.ts'
import type { Service } from '../schema/types/core.v1.ts'

/** An answer of an aggregated server, as it comes. */
export interface Forwarded {
  status: number
  headers: Record<string, string>
  chunks: AsyncIterable<Uint8Array>
}

/** Sends a request to the server behind an APIService. Rejects with an Error in the aggregator's words when nobody answers. */
export type Forwarder = (
  service: APIService,
  call: Pick<ApiCall, 'method' | 'url' | 'headers' | 'user' | 'body' | 'value' | 'signal'>,
) => Promise<Forwarded>

/** Forwards by HTTPS over the cluster's network from the control plane's node, with the user in request headers (front proxy). */
export function forwarder(
  { cache, clock }: Pick<ClusterContext, 'cache' | 'clock'>,
  network: () => Network | undefined,
  controlPlane: string,
): Forwarder {
  return async ({ spec }, call) => {
    const { namespace = '', name = '', port = 443 } = spec?.service ?? {}
    const service = cache.get<Service>(resources.services, name, namespace)
    const ip = service?.spec?.clusterIP ?? ''
    const served = network()
    if (!service || !served) throw new Error(`error resolving: service ${JSON.stringify(name)} not found`)
    const host = `${name}.${namespace}.svc`
    const options = {
      host,
      ...(spec?.insecureSkipTLSVerify ? { insecure: true } : {}),
      ...(spec?.caBundle ? { ca: Buffer.from(spec.caBundle, 'base64') } : {}),
    }
    try {
      const connection = await served.node(controlPlane).connect(ip, port, call.signal)
      const socket = await openTls(clock, connection, options, call.signal)
      return await answerOf(socket, call, `${host}:${port}`)
    } catch (error) {
      if (error instanceof TlsError) throw new Error(tlsText(error), { cause: error })
      if (error instanceof NetworkError && error.code === 'ECONNREFUSED') {
        throw new Error(`dial tcp ${ip}:${port}: connect: connection refused`, { cause: error })
      }
      throw error
    }
  }
}

/** What goes no further than this hop, and what the server must hear from nobody else. */
const ownHeaders = /^(?:connection|keep-alive|transfer-encoding|upgrade|te|trailer|proxy-.*|authorization|host|content-length|x-remote-.*)$/

function answerOf(
  socket: Socket,
  { method, url, headers, user, body, value, signal }: Parameters<Forwarder>[1],
  host: string,
): Promise<Forwarded> {
  const bytes = value === undefined ? body : Buffer.from(JSON.stringify(value))
  const kept = Object.entries(headers).filter(([name, text]) => text !== undefined && !ownHeaders.test(name))
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => socket,
      method,
      path: url,
      headers: { ...Object.fromEntries(kept), host, ...frontProxy(user), ...(bytes ? { 'content-length': String(bytes.length) } : {}) },
      setHost: false,
      signal,
    })
    outgoing.on('error', (error) => {
      socket.destroy()
      reject(error)
    })
    outgoing.on('response', (incoming) => {
      resolve({ status: incoming.statusCode ?? 502, headers: plainHeaders(incoming), chunks: chunksOf(incoming, socket) })
    })
    outgoing.end(bytes)
  })
}

async function* chunksOf(incoming: IncomingMessage, socket: Socket): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of incoming) yield chunk as Uint8Array
  } finally {
    socket.destroy()
  }
}

function frontProxy({ username, uid, groups, extra = {} }: UserInfo): Record<string, string | string[]> {
  const more = Object.entries(extra).map(([key, values]) => [`x-remote-extra-${encodeURIComponent(key)}`, [...values]] as const)
  return { 'x-remote-user': username, ...(uid ? { 'x-remote-uid': uid } : {}), 'x-remote-group': [...groups], ...Object.fromEntries(more) }
}

function plainHeaders(incoming: IncomingMessage): Record<string, string> {
  const given = Object.entries(incoming.headers).filter(([name]) => !/^(?:connection|keep-alive|transfer-encoding)$/.test(name))
  return Object.fromEntries(given.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]))
}
