import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MachineFact } from '../platform/services.ts'
import { ConfigError, readConfig } from './config.ts'
import { machineFacts } from './machine-facts.ts'
import { openEngines } from './sandboxes.ts'

/**
 * `npm run doctor`: what this machine has and which engines run on it, with the reason for everything that is missing. Exit
 * code 0 when every engine that ENGINES names can run, or without ENGINES when one can; 1 otherwise, 2 for settings that
 * cannot be.
 */
const titles: Record<MachineFact['name'], string> = {
  memory: 'memory, free / all',
  cpus: 'CPUs',
  disk: 'disk, free',
  cgroup: 'cgroups',
  inotify: 'inotify watches / instances',
  jail: 'jails for shells',
  docker: 'Docker',
  kind: 'kind',
}

process.exitCode = await main()

async function main(): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'doctor-'))
  try {
    const config = { ...readConfig(process.env), dataDir }
    console.log('Machine')
    for (const { name, value, problem } of await machineFacts()) {
      console.log(`  ${problem ? '!' : ' '} ${titles[name].padEnd(28)} ${value || '-'}`)
      if (problem) console.log(`    ${problem}`)
    }
    const warn = (_fields: object, fault: string) => console.log(`  ! ${fault}`)
    const engines = await openEngines(config, { warn } as Parameters<typeof openEngines>[1])
    const able: boolean[] = []
    for (const engine of engines) {
      const capabilities = await engine.capabilities()
      const reasons = new Set(Object.values(capabilities).filter((has) => has !== true))
      able.push(capabilities.api === true || capabilities.hosts === true)
      console.log(`\n${engine.name}${able.at(-1) ? '' : ': cannot run here'}`)
      for (const reason of able.at(-1) ? [] : reasons) console.log(`    ${reason}`)
      for (const [name, has] of able.at(-1) ? Object.entries(capabilities) : [])
        console.log(`  ${has === true ? '+' : '-'} ${name.padEnd(12)} ${has === true ? '' : has}`.trimEnd())
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
