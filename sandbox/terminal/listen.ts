import { spawn } from 'node:child_process'
import type { Server } from 'node:net'
import { join } from 'node:path'

/** The beginning of a command line that runs in a holder's network, with the privileges that its root has there. */
export function enterNetwork(holder: number): string[] {
  const user = process.getuid?.() === 0 ? [] : ['-U', '--preserve-credentials']
  return ['nsenter', '-t', `${holder}`, ...user, '-n', '--']
}

/**
 * Listening sockets inside a holder's network that belong to this process, by address (`IP:PORT`): a child enters the network,
 * listens, hands the sockets over and ends, so that no relay has to run in the jail. An address that is taken or not there is
 * missing from the answer. `begin` is told of each at once: connections come while others are still on their way. Rejects when the
 * network cannot be entered.
 */
export async function listenInside(
  holder: number,
  addresses: readonly string[],
  begin: (server: Server, address: string) => void,
): Promise<Map<string, Server>> {
  const script = join(import.meta.dirname, 'listen-inside.mjs')
  const [command = '', ...args] = [...enterNetwork(holder), process.execPath, script, ...addresses]
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const problems: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => problems.push(chunk))
  const servers = new Map<string, Server>()
  try {
    await new Promise<void>((resolve, reject) => {
      let left = addresses.length
      child.on('message', ({ address, taken }: { address: string; taken: boolean }, handle) => {
        if (taken) {
          begin(handle as Server, address)
          servers.set(address, handle as Server)
        }
        if (--left === 0) resolve()
      })
      child.once('error', reject)
      child.once('exit', (code) =>
        reject(new Error(`The toolbox's network could not be entered (exit ${code}): ${Buffer.concat(problems).toString('utf8').trim()}`)),
      )
    })
    return servers
  } catch (error) {
    for (const server of servers.values()) server.close()
    throw error
  } finally {
    if (child.connected) child.send('done')
  }
}
