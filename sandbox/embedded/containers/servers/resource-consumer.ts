import type { HttpResponse } from '../../network/network.ts'
import { type GoRequest, goServe, httpError } from '../go/http.ts'
import { logPrint } from '../go/log.ts'
import { dieOfSignals, forever } from '../go/signals.ts'
import type { Process, Program } from '../kernel/process.ts'
import { answer } from './http.ts'
import { consumeCpu, consumeMemory } from './load.ts'

/** Kubernetes' image for autoscaling tests: uses as much CPU and memory as it is asked to by HTTP. */
export const resourceConsumer: Program = { run, memoryBytes: 8 * 1024 * 1024 }

async function run(process: Process): Promise<number> {
  dieOfSignals(process)
  const metrics = new Map<string, number>()
  return (await goServe(process, portOf(process), (request) => handle(process, metrics, request))) ?? forever(process)
}

function portOf(process: Process): number {
  const flag = process.args.find((arg) => /^--?port=/.test(arg))
  return flag ? Number(flag.split('=')[1]) : 8080
}

async function handle(process: Process, metrics: Map<string, number>, { method, path, form }: GoRequest): Promise<HttpResponse> {
  if (path === '/metrics') {
    const rows = [...metrics].map(([name, value]) => `# HELP ${name} info message.\n# TYPE ${name} gauge\n${name} ${value.toFixed(6)}\n`)
    return answer(200, rows.join(''))
  }
  if (method !== 'POST') return httpError('Bad request. Not a POST request', 400)
  const amountName = { '/ConsumeCPU': 'millicores', '/ConsumeMem': 'megabytes', '/BumpMetric': 'delta' }[path]
  if (path === '/GetCurrentStatus') return answer(200, 'Warning: not implemented!\nGetCurrentStatus')
  if (amountName === undefined) return httpError(`unknown function: ${path}`, 404)
  const [amountText, secondsText, metric] = [form.get(amountName), form.get('durationSec'), form.get('metric') ?? '']
  if (!amountText || !secondsText || (path === '/BumpMetric' && metric === '')) return httpError('not given function argument', 400)
  const amount = Number(amountText)
  const seconds = Number(secondsText)
  if (!Number.isFinite(amount) || !Number.isInteger(seconds)) return httpError('incorrect function argument', 400)
  if (path === '/ConsumeCPU') {
    await logPrint(process, `ConsumeCPU millicores: ${amount}, durationSec: ${seconds}`)
    consumeCpu(process, amount, seconds * 1000)
  } else if (path === '/ConsumeMem') {
    await logPrint(process, `ConsumeMem megabytes: ${amount}, durationSec: ${seconds}`)
    consumeMemory(process, amount * 1024 * 1024, seconds * 1000)
  } else {
    metrics.set(metric, (metrics.get(metric) ?? 0) + amount)
    process.machine.after(seconds * 1000, () => metrics.set(metric, (metrics.get(metric) ?? 0) - amount))
  }
  const named = path === '/BumpMetric' ? `${metric} metric\n` : ''
  return answer(200, `${path.slice(1)}\n${named}${amount} ${amountName}\n${seconds} durationSec\n`)
}
