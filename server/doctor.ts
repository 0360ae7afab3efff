import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MachineFact } from '../platform/services.ts'
import { columnsOf } from '../sandbox/terminal/columns.ts'
import type { Text } from '../sandbox/text.ts'
import { ConfigError, readConfig } from './config.ts'
import { machineFacts } from './machine-facts.ts'
import { openEngines } from './sandboxes.ts'

/**
 * `npm run doctor`: what this machine has and which engines run on it, with the reason for everything that is missing. Exit
 * code 0 when every engine that ENGINES names can run, or without ENGINES when one can; 1 otherwise, 2 for settings that
 * cannot be. In Chinese where the locale says so.
 */
const titles: Record<MachineFact['name'], Text> = {
  memory: { en: 'memory, free / all', zh: '内存，空闲 / 全部' },
  cpus: { en: 'CPUs', zh: 'CPU 数' },
  disk: { en: 'disk, free', zh: '磁盘，空闲' },
  cgroup: { en: 'cgroups', zh: 'cgroup' },
  inotify: { en: 'inotify watches / instances', zh: 'inotify 监视数 / 实例数' },
  jail: { en: 'jails for shells', zh: 'shell 的隔离环境' },
  docker: { en: 'Docker', zh: 'Docker' },
  kind: { en: 'kind', zh: 'kind' },
}
/** What POSIX programs go by, in its order. */
const { LC_ALL, LC_MESSAGES, LANG } = process.env
const language = (LC_ALL || LC_MESSAGES || LANG || '').startsWith('zh') ? 'zh' : 'en'

process.exitCode = await main()

function padded(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)))
}

async function main(): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'doctor-'))
  try {
    const config = { ...readConfig(process.env), dataDir }
    console.log({ en: 'Machine', zh: '机器' }[language])
    for (const { name, value, problem } of await machineFacts()) {
      console.log(`  ${problem ? '!' : ' '} ${padded(titles[name][language], 28)} ${value || '-'}`)
      if (problem) console.log(`    ${problem[language]}`)
    }
    const warn = (_fields: object, fault: string) => console.log(`  ! ${fault}`)
    const engines = await openEngines(config, { warn } as Parameters<typeof openEngines>[1])
    const able: boolean[] = []
    for (const engine of engines) {
      const capabilities = await engine.capabilities()
      const reasons = new Set(Object.values(capabilities).flatMap((has) => (has === true ? [] : [has[language]])))
      able.push(capabilities.api === true || capabilities.hosts === true)
      console.log(`\n${engine.name}${able.at(-1) ? '' : { en: ': cannot run here', zh: '：无法在这里运行' }[language]}`)
      for (const reason of able.at(-1) ? [] : reasons) console.log(`    ${reason}`)
      for (const [name, has] of able.at(-1) ? Object.entries(capabilities) : [])
        console.log(`  ${has === true ? '+' : '-'} ${name.padEnd(12)} ${has === true ? '' : has[language]}`.trimEnd())
      await engine[Symbol.asyncDispose]()
    }
    return (process.env['ENGINES'] ? able.every(Boolean) : able.some(Boolean)) ? 0 : 1
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(error.message)
    return 2
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}
