import { goDuration } from '../../../kubelet/duration.ts'
import { command } from '../../go/flags.ts'
import { goServe, httpRedirect } from '../../go/http.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import { answer } from '../http.ts'

const healthyMs = 10_000

/** Healthy for ten seconds, then not. */
export const liveness = command({
  short: 'Starts a server that is alive for 10 seconds',
  flags: {},
  args: 0,
  async run(process) {
    dieOfSignals(process)
    const started = process.resume<number>() ?? process.machine.now()
    process.save(started)
    const failed = await goServe(process, 8080, {
      '/started': () => answer(200, goDuration(process.machine.now() - started)),
      '/healthz': () => {
        const age = process.machine.now() - started
        return age > healthyMs ? answer(500, `error: ${age / 1000}`) : answer(200, 'ok')
      },
      '/redirect': (request) => httpRedirect(request, request.query.get('loc') ?? '', 302),
    })
    return failed ?? forever(process)
  },
})
