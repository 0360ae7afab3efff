import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Cluster } from './cluster.ts'

const usage = 'usage: npm run cluster -- --kubeconfig FILE [--nodes N] [--port P] [--dir D]'

/** One bare cluster on this machine's loopback, until it is interrupted. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: 'string' },
      nodes: { type: 'string', default: '1' },
      port: { type: 'string', default: '0' },
      dir: { type: 'string' },
    },
  })
  const nodes = Number(values.nodes)
  const port = Number(values.port)
  if (!values.kubeconfig || !Number.isInteger(nodes) || nodes < 1 || !Number.isInteger(port)) {
    console.error(usage)
    process.exitCode = 2
    return
  }
  const report = (where: string, error: unknown) => console.error(`${where}:`, error)
  const cluster = await Cluster.open({ nodes, report, ...(values.dir ? { dir: values.dir } : {}) })
  const end = async () => {
    await cluster[Symbol.asyncDispose]()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end())
  const address = await cluster.listen({ host: '127.0.0.1', port })
  const server = `https://127.0.0.1:${'port' in address ? address.port : port}`
  await writeFile(values.kubeconfig, cluster.kubeconfig({ server }), { mode: 0o600 })
  console.log(`ready: ${server}, kubeconfig ${values.kubeconfig}`)
}

await main()
