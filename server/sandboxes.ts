import type { Logger } from 'pino'
import type { SandboxHost } from '../platform/sandbox-host.ts'
import type { Config } from './config.ts'
import type { Sandboxes } from './server.ts'

/** A server without an engine: people can read, nobody can start a cluster. */
export async function openSandboxes(_config: Config, _log: Logger): Promise<Sandboxes> {
  return {
    host: noEngine,
    labs: new Map(),
    serveTerminal: (socket) => socket.close(1008),
    [Symbol.asyncDispose]: async () => {},
  }
}

const refuse = () => Promise.reject(new Error('No engine is installed on this server.'))

const noEngine: SandboxHost = {
  engines: async () => ({}),
  adopt: async () => new Map(),
  end: async () => {},
  terminals: async () => [],
  start: refuse,
  reset: refuse,
  pause: refuse,
  resume: refuse,
  openTerminal: refuse,
  closeTerminal: refuse,
  clusterView: refuse,
  watchCluster: refuse,
  skipAhead: refuse,
  handIn: refuse,
}
