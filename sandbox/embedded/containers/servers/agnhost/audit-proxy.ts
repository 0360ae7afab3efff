import { sortedJson } from '../../../machinery/sorted-json.ts'
import { command } from '../../go/flags.ts'
import { goServe } from '../../go/http.ts'
import { logPrint } from '../../go/log.ts'
import { dieOfSignals, forever } from '../../go/signals.ts'
import { answer } from '../http.ts'

/** Takes audit events by webhook on 8080 and prints each on a line. */
export const auditProxy = command({
  short: 'Listens on port 8080 for incoming audit events',
  flags: {},
  args: 0,
  async run(process) {
    dieOfSignals(process)
    const failed = await goServe(process, 8080, async ({ body }) => {
      try {
        const list = JSON.parse(new TextDecoder().decode(body)) as { items?: unknown[] }
        for (const event of list.items ?? []) await process.print(`${sortedJson(event)}\n`)
        return answer(200, '')
      } catch (error) {
        if (process.ended || !(error instanceof SyntaxError)) throw error
        await logPrint(process, `failed decoding buf: ${error.message}, apiVersion: audit.k8s.io/v1`)
        return answer(500, '')
      }
    })
    return failed ?? forever(process)
  },
})
