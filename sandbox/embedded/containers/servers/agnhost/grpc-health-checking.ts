import { goDuration } from '../../../kubelet/duration.ts'
import type { HttpResponse } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { goServe } from '../../go/http.ts'
import { logFatal, logPrint } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import { answer } from '../http.ts'

const checkPath = '/grpc.health.v1.Health/Check'
const serving = 1
const notServing = 2

/** The gRPC health protocol for one service name, which can be told by HTTP to be unhealthy. */
export const grpcHealthChecking = command({
  short: 'Starts a simple grpc health checking endpoint',
  flags: {
    port: 5000,
    'http-port': 8080,
    'delay-unhealthy-sec': -1,
    service: '',
    'tls-cert-file': '',
    'tls-private-key-file': '',
  },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    if ((flags['tls-cert-file'] === '') !== (flags['tls-private-key-file'] === '')) {
      return logFatal(process, 'Both --tls-cert-file and --tls-private-key-file must be set')
    }
    const state = process.resume<{ started: number; forced?: 'healthy' | 'unhealthy' }>() ?? { started: process.machine.now() }
    process.save(state)
    const age = () => process.machine.now() - state.started
    const force = (to: 'healthy' | 'unhealthy') => async () => {
      await logPrint(process, `Mark as ${to}`)
      state.forced = to
      process.save(state)
      return answer(200, goDuration(age()))
    }
    await logPrint(process, `Http server starting to listen on :${flags['http-port']}`)
    const failed = await goServe(process, flags['http-port'], {
      '/make-not-serving': force('unhealthy'),
      '/make-serving': force('healthy'),
    })
    if (failed !== undefined) return failed
    await logPrint(process, `gRPC server starting to listen on :${flags.port}`)
    const taken = await goServe(process, flags.port, async ({ path, body }) => {
      if (path !== checkPath) return grpcAnswer(12, `unknown method ${path.split('/').at(-1)} for service grpc.health.v1.Health`)
      await logPrint(process, 'Serving the Check request for health check')
      if (askedService(body) !== flags.service) return grpcAnswer(5, 'unknown service')
      const late = flags['delay-unhealthy-sec'] >= 0 && age() >= flags['delay-unhealthy-sec'] * 1000
      return grpcAnswer(0, '', state.forced === 'unhealthy' || late ? notServing : serving)
    })
    return taken ?? forever(process)
  },
})

/** HealthCheckRequest.service: field 1 of the message after the frame's five bytes. */
function askedService(body: Uint8Array): string {
  if (body[5] !== 0x0a) return ''
  return new TextDecoder().decode(body.subarray(7, 7 + (body[6] ?? 0)))
}

function grpcAnswer(status: number, message: string, health?: number): HttpResponse {
  const body = health === undefined ? new Uint8Array(0) : Uint8Array.of(0, 0, 0, 0, 2, 0x08, health)
  return {
    status: 200,
    headers: { 'Content-Type': 'application/grpc', 'Grpc-Status': String(status), 'Grpc-Message': message },
    body,
  }
}
