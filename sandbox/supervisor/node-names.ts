import type { Sandbox } from '../engine.ts'

/**
 * Makes the nodes of a sandbox know each other by the names that are the same on every engine: after it `ping worker2` works
 * on `worker`. Rejects when a node cannot be asked for its address.
 */
export async function nameNodes(sandbox: Pick<Sandbox, 'nodes' | 'exec'>): Promise<void> {
  const nodes = await sandbox.nodes()
  const lines = await Promise.all(
    nodes.map(async (node) => {
      const { exitCode, stdout, stderr } = await sandbox.exec(['ip', '-4', '-o', 'addr', 'show', 'dev', 'eth0'], { node })
      const address = /\binet (\S+)\//.exec(stdout)?.[1]
      if (exitCode !== 0 || !address) throw new Error(`Node ${node} has no address on eth0: ${stderr.trim()}`)
      return `${address} ${shortName(node)}\n`
    }),
  )
  await Promise.all(
    nodes.map(async (node) => {
      const { exitCode, stderr } = await sandbox.exec(['sh', '-c', 'cat >> /etc/hosts'], { node, stdin: lines.join('') })
      if (exitCode !== 0) throw new Error(`Node ${node} could not be told the others' names: ${stderr.trim()}`)
    }),
  )
}

/** 'worker2' of 'lab-7f3a-worker2': the part of a node's name that is the same on every engine. */
function shortName(node: string): string {
  return /(?:control-plane|worker)\d*$/.exec(node)?.[0] ?? node
}
