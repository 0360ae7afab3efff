import type { HttpRequest, HttpResponse } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { answer, header } from '../http.ts'
import { json, serveTls, tlsFlags } from './serve-tls.ts'

type Fields = Record<string, unknown>

interface Review {
  apiVersion: string
  kind: string
  request: { uid: string; desiredAPIVersion: string; objects: Fields[] }
}

/** Converts custom resources: stable.example.com/v1 has hostPort, v2 has host and port apart. */
export const conversionWebhook = command({
  short: 'Starts HTTP server on port 443 for testing CustomResourceConversionWebhook',
  flags: tlsFlags,
  args: 0,
  run: (process, flags) =>
    serveTls(process, flags, async (request) => {
      const path = request.path.split('?')[0]
      if (path === '/readyz') return answer(200, 'ok')
      return path === '/crdconvert' ? review(request) : answer(404, '404 page not found\n')
    }),
})

class ConversionFault extends Error {}

function review(request: HttpRequest): HttpResponse {
  const type = header(request.headers, 'content-type') ?? ''
  if (type !== 'application/json') return answer(400, `invalid Content-Type header \`${type}\`\n`)
  const { apiVersion, kind, request: asked } = JSON.parse(new TextDecoder().decode(request.body)) as Review
  if (kind !== 'ConversionReview' || !/^apiextensions\.k8s\.io\/v1(?:beta1)?$/.test(apiVersion)) {
    return answer(400, `Unsupported group version kind: ${apiVersion}, Kind=${kind}\n`)
  }
  const about = { uid: asked.uid }
  try {
    const convertedObjects = asked.objects.map((object) => convert(object, asked.desiredAPIVersion))
    return json({ kind, apiVersion, response: { ...about, convertedObjects, result: { metadata: {}, status: 'Success' } } })
  } catch (error) {
    if (!(error instanceof ConversionFault)) throw error
    const result = { metadata: {}, status: 'Failure', message: error.message }
    return json({ kind, apiVersion, response: { ...about, convertedObjects: null, result } })
  }
}

function convert(object: Fields, to: string): Fields {
  const from = String(object['apiVersion'])
  if (from === to) throw new ConversionFault(`conversion from a version to itself should not call the webhook: ${to}`)
  const versions = ['stable.example.com/v1', 'stable.example.com/v2']
  if (!versions.includes(from)) throw new ConversionFault(`unexpected conversion version ${JSON.stringify(from)}`)
  if (!versions.includes(to)) throw new ConversionFault(`unexpected conversion version ${JSON.stringify(to)}`)
  if (to.endsWith('/v1')) {
    const { host, port, ...rest } = object
    const joined = host === undefined && port === undefined ? {} : { hostPort: `${host ?? ''}:${port ?? ''}` }
    return { ...rest, ...joined, apiVersion: to }
  }
  const { hostPort, ...rest } = object
  if (hostPort === undefined) return { ...rest, apiVersion: to }
  const parts = String(hostPort).split(':')
  if (parts.length !== 2) throw new ConversionFault(`invalid hostPort value \`${String(hostPort)}\``)
  return { ...rest, host: parts[0], port: parts[1], apiVersion: to }
}
