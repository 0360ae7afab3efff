import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Sandbox } from '../sandbox/engine.ts'
import { HostsEngine } from '../sandbox/hosts/engine.ts'
import { Shortage } from '../sandbox/text.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'

const execute = promisify(execFile)
const times = 30
const hosts = 3
/** The namespaces of three hosts and nothing in them. */
const bareSpaces = ['-U', '-r', '-m', '-n', '-p', '-i', '-u', '--fork', 'true']

export const benchmark: Benchmark = {
  name: 'hosts',
  about: 'three Linux hosts joined by a network, ready for use',
  async run({ say, folder, cleanup }) {
    const engine = cleanup.use(await HostsEngine.start({ dir: join(folder, 'hosts'), onFault: say }))
    const { hosts: possible } = await engine.capabilities()
    if (possible !== true) throw new Shortage(possible)
    // taken between the others, so that both meet the same other work of the machine
    const bare = { what: `unshare true, ${hosts} times`, samples: [] as number[] }
    const entered = { what: 'bash -c true', samples: [] as number[] }
    const commands: number[] = []
    const ended: number[] = []
    const made = await sample(times + 1, async (index) => {
      const began = performance.now()
      const sandbox = await engine.create({ id: `made-${index}`, nodes: hosts }, () => undefined)
      const ms = performance.now() - began
      await mustReach(sandbox)
      commands.push(...(await sample(1, async () => void (await sandbox.exec(['bash', '-c', 'true'])))))
      ended.push(...(await sample(1, () => engine.destroy(`made-${index}`))))
      bare.samples.push(
        ...(await sample(1, async () => {
          for (let host = 0; host < hosts; host++) await execute('unshare', bareSpaces)
        })),
      )
      entered.samples.push(...(await sample(1, async () => void (await execute('bash', ['-c', 'true'])))))
      return ms
    })
    return [
      ...percentileRows(`${hosts} hosts made and joined`, 'ms', made.slice(1), bare, 200),
      ...percentileRows('a command on a host', 'ms', commands, entered),
      ...percentileRows('ending them', 'ms', ended, bare),
    ]
  },
}

/** Ready means that the hosts reach each other. */
async function mustReach(sandbox: Sandbox): Promise<void> {
  const { exitCode, stdout } = await sandbox.exec(['ping', '-c', '1', '-W', '1', `worker${hosts}`])
  if (exitCode !== 0) throw new Error(`The hosts do not reach each other: ${stdout}`)
}
