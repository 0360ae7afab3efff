import { createHash } from 'node:crypto'
import { command } from '../../go/flags.ts'
import { klogError, klogInfo } from '../../go/log.ts'
import { dieOfSignals } from '../../go/signals.ts'
import { getWithToken, inClusterConfig } from './in-cluster.ts'

/** Asks the API server for its health again and again, and prints a digest of the token with which it does. */
export const inClusterClient = command({
  short: 'Periodically poll the Kubernetes "/healthz" endpoint',
  flags: { 'poll-interval': 30 },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    await klogInfo(process, 'main.go:75', 'started')
    for (;;) {
      await process.sleep(flags['poll-interval'] * 1000)
      await klogInfo(process, 'main.go:75', 'calling /healthz')
      try {
        const config = await inClusterConfig(process)
        const digest = createHash('sha256').update(`salt|Bearer ${config.token}`).digest('base64url')
        await klogInfo(process, 'main.go:75', `authz_header=${digest}`)
        const { status, body } = await getWithToken(process, `${config.server}/healthz`, config)
        if (status !== 200) throw new Error(Buffer.from(body).toString())
      } catch (error) {
        if (process.ended) throw error
        await klogError(process, 'main.go:86', 'status=failed')
        await klogError(process, 'main.go:86', `error checking /healthz: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  },
})
