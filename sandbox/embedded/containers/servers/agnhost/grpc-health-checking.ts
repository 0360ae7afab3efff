import { createSecureContext } from 'node:tls'
import protobufjs from 'protobufjs'
import { goDuration } from '../../../kubelet/duration.ts'
import { failure, type GrpcMethod, GrpcServer } from '../../../network/grpc.ts'
import { NetworkError } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import { goServe } from '../../go/http.ts'
import { logFatal, logPrint } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { answer } from '../http.ts'

const { Reader, Writer } = protobufjs

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
    const pair = await pairOf(process, flags['tls-cert-file'], flags['tls-private-key-file'])
    if (typeof pair === 'number') return pair
    await logPrint(process, `gRPC server starting to listen on :${flags.port}`)
    const unimplemented = async () => failure('Unimplemented', 'unimplemented')
    const methods = {
      '/grpc.health.v1.Health/Check': async (message: Uint8Array) => {
        const started = new Date(state.started).toISOString().replace('T', ' ').replace('Z', ' +0000 UTC')
        await logPrint(process, `Serving the Check request for health check, started at ${started}`)
        if (askedService(message) !== flags.service) return failure('NotFound', 'unknown service')
        const late = flags['delay-unhealthy-sec'] >= 0 && age() >= flags['delay-unhealthy-sec'] * 1000
        const status = state.forced === 'unhealthy' || late ? notServing : serving
        return { code: 0, message: '', reply: Writer.create().uint32(8).int32(status).finish() }
      },
      '/grpc.health.v1.Health/List': unimplemented,
      '/grpc.health.v1.Health/Watch': unimplemented,
    }
    const taken = await serveGrpc(process, flags.port, methods, pair)
    return taken ?? forever(process)
  },
})

/** HealthCheckRequest.service: a string, field 1. */
function askedService(message: Uint8Array): string {
  const reader = Reader.create(message)
  let service = ''
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === 10) service = reader.string()
    else reader.skipType(tag & 7)
  }
  return service
}

/** Serves gRPC until the process ends. Resolves with an exit code when it cannot begin. */
async function serveGrpc(
  process: Process,
  port: number,
  methods: Readonly<Record<string, GrpcMethod>>,
  pair?: { certificate: string; key: string },
): Promise<number | undefined> {
  const server = new GrpcServer(process.machine.clock, methods, pair)
  process.onEnd(() => server[Symbol.dispose]())
  try {
    const listener = process.machine.network.listen(port, { accept: (connection) => server.accept(connection) })
    process.onEnd(() => listener[Symbol.dispose]())
    return undefined
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    const why = `listen tcp :${port}: bind: address already in use`
    return logFatal(process, `Error while starting the listening service ${why}`)
  }
}

/** The certificate of the flags; undefined without one, and an exit code where it cannot be used. */
async function pairOf(
  process: Process,
  certFile: string,
  keyFile: string,
): Promise<{ certificate: string; key: string } | undefined | number> {
  if (certFile === '') return undefined
  try {
    const certificate = Buffer.from(await process.readWhole(certFile)).toString()
    const key = Buffer.from(await process.readWhole(keyFile)).toString()
    createSecureContext({ cert: certificate, key })
    return { certificate, key }
  } catch (error) {
    if (process.ended) throw error
    return logFatal(process, `Failed to generate credentials ${(error as Error).message}`)
  }
}
