import { createHash } from 'node:crypto'
import { CorefileFault, parseCorefile, type ServerBlock } from '../../network/corefile.ts'
import type { Process } from '../kernel/process.ts'

/** How often the reload plugin looks at the file, ms; at most half as much later, so that servers do not all do it at once. */
const reloadPeriod = 30_000

/**
 * CoreDNS: answers for its Pod what its Corefile says, reads it again when it has changed (reload), and says what is wrong with it.
 * What is left out here of the plugins' settings changes no answers of a cluster.
 */
export async function coredns(process: Process): Promise<number> {
  const at = process.args.findIndex((arg) => /^--?conf$/.test(arg))
  const path =
    process.args.find((arg) => /^--?conf=/.test(arg))?.replace(/^--?conf=/, '') ?? (at < 0 ? 'Corefile' : (process.args[at + 1] ?? ''))
  for (const signal of ['TERM', 'INT'] as const) process.trap(signal, () => process.end({ code: 0 }))
  const logs = (line: string) => {
    process.print(line).catch((error: unknown) => {
      if (!process.ended) throw error
    })
  }
  const read = async () => Buffer.from(await process.readWhole(path)).toString()
  let text = await read()
  let blocks: ServerBlock[]
  try {
    blocks = parseCorefile(text)
  } catch (error) {
    if (!(error instanceof CorefileFault)) throw error
    await process.complain(`${path}:${error.line} - ${error.message}\n`)
    return 1
  }
  const serving = process.machine.network.serveNames?.(() => blocks, logs)
  process.onEnd(() => serving?.[Symbol.dispose]())
  // After a restart of the platform it runs on without a word.
  if (!process.resume<{ runs: boolean }>()?.runs) {
    await process.print(
      `${blocks.map(({ zones }) => zones.map((zone) => `${zone}.:53\n`).join('')).join('')}${running(text)}CoreDNS-1.12.1\nlinux/amd64, go1.24.1, 707c7c1\n`,
    )
  }
  process.save({ runs: true })
  for (;;) {
    const reload = blocks.flatMap(({ directives }) => directives).find(({ name }) => name === 'reload')
    if (!reload) return await process.block<number>(() => undefined)
    const every = durationOf(reload.args[0]) ?? reloadPeriod
    await process.sleep(every * (1 + process.machine.random() / 2))
    const next = await read()
    if (next === text) continue
    text = next
    await process.print('[INFO] Reloading\n')
    try {
      blocks = parseCorefile(text)
      await process.print(`[INFO] plugin/health: Going into lameduck mode for 5s\n${running(text)}[INFO] Reloading complete\n`)
    } catch (error) {
      if (!(error instanceof CorefileFault)) throw error
      await process.print(
        `[ERROR] Restart failed: ${path}:${error.line} - ${error.message}\n[ERROR] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: ${path}:${error.line} - ${error.message}\n`,
      )
    }
  }
}

function running(text: string): string {
  return `[INFO] plugin/reload: Running configuration SHA512 = ${createHash('sha512').update(text).digest('hex')}\n`
}

function durationOf(text: string | undefined): number | undefined {
  const match = /^(\d+)(ms|s|m)$/.exec(text ?? '')
  return match ? Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'] : undefined
}
