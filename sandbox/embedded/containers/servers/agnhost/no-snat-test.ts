import { command } from '../../go/flags.ts'
import { GoHttpError, goFetch, goServe } from '../../go/http.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { answer } from '../http.ts'

/** Asks others whether they see this pod's own address, or one that somebody put in its place. */
export const noSnatTest = command({
  short: 'Creates the /checknosnat and /whoami endpoints',
  flags: { port: '8080' },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    for (const name of ['POD_IP', 'NODE_IP']) {
      const value = process.env.get(name)
      const problem =
        value === undefined
          ? `${name} env var was not present in the environment`
          : /^[\d.]+$|:/.test(value)
            ? undefined
            : `${name} env var contained "${value}", which is not an IP address`
      if (problem !== undefined) {
        await process.complain(`${problem}\n`)
        return 1
      }
    }
    const failed = await goServe(process, Number(flags.port), {
      '/whoami': ({ peer }) => answer(200, `${peer.ip}:${peer.port}`),
      '/checknosnat': async ({ query }) => {
        const problems: string[] = []
        for (const ip of (query.get('ips') ?? '').split(',')) {
          const problem = await check(process, ip)
          if (problem !== undefined) problems.push(problem)
        }
        return answer(problems.length > 0 ? 500 : 200, problems.join(', '))
      },
    })
    return failed ?? forever(process)
  },
})

/** Passes the question on to a pod, from outside of it. */
export const noSnatTestProxy = command({
  short: 'Creates a proxy for the /checknosnat endpoint',
  flags: { port: '31235' },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    const failed = await goServe(process, Number(flags.port), {
      '/checknosnat': async ({ query }) => {
        const url = `http://${query.get('target') ?? ''}/checknosnat?ips=${query.get('ips') ?? ''}`
        try {
          const response = await goFetch(process, url)
          return answer(response.status, response.body)
        } catch (error) {
          if (process.ended || !(error instanceof GoHttpError)) throw error
          return answer(500, `error querying "${url}", err: ${error.message}`)
        }
      },
    })
    return failed ?? forever(process)
  },
})

async function check(process: Process, target: string): Promise<string | undefined> {
  const own = process.env.get('POD_IP')
  const node = process.env.get('NODE_IP')
  try {
    const response = await goFetch(process, `http://${target}/whoami`)
    const seen = new TextDecoder().decode(response.body).split(':')[0] ?? ''
    if (seen === own) return undefined
    if (seen === node) return `Returned ip "${seen}" != my Pod ip "${own}", == my Node ip "${node}" - SNAT`
    return `Returned ip "${seen}" != my Pod ip "${own}" or my Node ip "${node}" - SNAT to unexpected ip (possible SNAT through unexpected interface on the way into another node)`
  } catch (error) {
    if (process.ended || !(error instanceof GoHttpError)) throw error
    return error.message
  }
}
