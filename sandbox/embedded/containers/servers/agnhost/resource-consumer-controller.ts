import type { HttpResponse } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { GoHttpError, type GoRequest, goFetch, goServe, httpError } from '../../go/http.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { answer } from '../http.ts'
import { resolvConf } from './dns.ts'

/** What can be consumed: the path, the parameter of the amount, of a single request's size, and how the answers name it. */
const resources: Record<
  string,
  { amount: string; size: string; unit: string; plan: (count: number, size: number, rest: number) => string }
> = {
  '/ConsumeCPU': {
    amount: 'millicores',
    size: 'requestSizeMillicores',
    unit: 'Consumed N millicores',
    plan: (count, size, rest) => `sending ${count} requests to consume ${size} millicores each and 1 request to consume ${rest} millicores`,
  },
  '/ConsumeMem': {
    amount: 'megabytes',
    size: 'requestSizeMegabytes',
    unit: 'Consumed N megabytes',
    plan: (count, size, rest) => `sending ${count} requests to consume ${size} MB each and 1 request to consume ${rest} MB`,
  },
  '/BumpMetric': {
    amount: 'delta',
    size: 'requestSizeMetrics',
    unit: 'Bumped metric M by N',
    plan: (count, size, rest) => `sending ${count} requests to bump custom metric by ${size} each and 1 request to bump by ${rest}`,
  },
}

/** Spreads a wanted load over the pods of a Service of resource consumers. */
export const resourceConsumerController = command({
  short: 'Starts a HTTP server that spreads requests around resource consumers',
  flags: { port: 8080, 'consumer-port': 8080, 'consumer-service-name': 'resource-consumer', 'consumer-service-namespace': 'default' },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    const suffix = (await resolvConf(process, 'search'))?.find((each) => each.startsWith('svc.'))?.slice(4) ?? 'cluster.local'
    const base = `http://${flags['consumer-service-name']}.${flags['consumer-service-namespace']}.svc.${suffix}:${flags['consumer-port']}`
    return (await goServe(process, flags.port, (request) => spread(process, base, request))) ?? forever(process)
  },
})

async function spread(process: Process, base: string, { method, path, form }: GoRequest): Promise<HttpResponse> {
  if (method !== 'POST') return httpError('Bad request. Not a POST request', 400)
  const resource = resources[path]
  if (!resource) return httpError('unknown function', 404)
  const metric = form.get('metric') ?? ''
  const texts = [form.get('durationSec'), form.get(resource.amount), form.get(resource.size)]
  if (texts.some((text) => !text) || (path === '/BumpMetric' && metric === '')) return httpError('not given function argument', 400)
  const [seconds = 0, amount = 0, size = 0] = texts.map(Number)
  if (![seconds, amount, size].every(Number.isInteger) || size <= 0) return httpError('incorrect function argument', 400)
  const count = Math.floor(amount / size)
  const rest = amount - count * size
  const lines = [`RC manager: ${resource.plan(count, size, rest)}\n`]
  const parts = [...Array.from({ length: count }, () => size), ...(rest > 0 ? [rest] : [])]
  const one = async (part: number) => {
    const body = new URLSearchParams({
      [resource.amount]: String(part),
      durationSec: String(seconds),
      ...(metric && { metric }),
    }).toString()
    try {
      await goFetch(process, base + path, { method: 'POST', body, contentType: 'application/x-www-form-urlencoded' })
      lines.push(`${resource.unit.replace('N', String(part)).replace('M', metric)}\n`)
    } catch (error) {
      if (process.ended || !(error instanceof GoHttpError)) throw error
      lines.push(`Failed to connect to consumer: ${error.message}\n`)
    }
  }
  await Promise.all(parts.map(one))
  return answer(200, lines.join(''))
}
