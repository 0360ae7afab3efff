import { setTimeout } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Cluster } from '../cluster.ts'
import { acceptAnswers, recordAccepts } from './accepts.ts'
import { probes, surplus } from './bad-requests.ts'
import { discoveryOf, type Found, published, recordDiscovery } from './discovery.ts'
import { documentsOf, recordDocuments } from './documents.ts'
import { expressionVerdicts, recordExpressions } from './expressions.ts'
import { answersOf, record, recorded, type Suite, suites, writeSuiteDifferences } from './fixtures.ts'
import { policyVerdicts, recordPolicies } from './policies.ts'
import { quietCluster } from './quiet-cluster.ts'
import { recordVerdicts, verdictsOf } from './ratcheting.ts'
import { allRows, answersTo, differingSteps, recordedRows, recordRows, writeRowDifferences } from './recorded-rows.ts'
import { objectionsOf, recordObjections } from './rules.ts'
import { Server, startOracle } from './server.ts'

/**
 * `node oracle/record.ts`: asks a real API server (ORACLE_KUBECONFIG, or the kit's) everything that recorded.test.ts compares and
 * stores what it answers, with its discovery documents; then writes down where this cluster answers otherwise. With `differences`
 * only the latter, from what is stored. Names behind it (`creations`, `rows`, `discovery` ...): only those. The server should have no
 * controllers running, which touch what is made.
 */
const asked = process.argv.slice(2).filter((argument) => argument !== 'differences')
const wants = (name: string) => asked.length === 0 || asked.includes(name)
const rowsToo = wants('rows')
const names = (Object.keys(suites) as Suite[]).filter(wants)
if (process.argv[2] !== 'differences') await recordAll()
await compareAll()

async function recordAll(): Promise<void> {
  await using oracle = await startOracle({ controllers: false })
  using server = new Server(oracle.kubeconfig)
  for (const { method, path, body } of probes) await server.send(method, path, body)
  if (wants('accepts')) recordAccepts(await acceptAnswers(server))
  if (wants('documents')) recordDocuments(await documentsOf(server))
  if (wants('discovery')) recordDiscovery(await publishedDiscovery(server))
  if (wants('rules')) recordObjections(await objectionsOf(server))
  if (wants('expressions')) recordExpressions(await expressionVerdicts(server))
  if (wants('policies')) recordPolicies(await policyVerdicts(server))
  if (wants('ratcheting')) recordVerdicts(await verdictsOf(server))
  for (const name of names) record(name, await answersOf(server, name, suites[name].requests()))
  if (rowsToo) await recordRows(server)
  for (const { path, body } of probes) {
    const { name } = (body as { metadata: { name: string } }).metadata
    await server.send('DELETE', `${path}/${name}`)
  }
}

/** With its definitions and APIServices there for as long as it takes, and a little longer for the server to see them. */
async function publishedDiscovery(server: Server): Promise<Found> {
  for (const { path, body } of published) await server.send('POST', path, body)
  await setTimeout(5000)
  try {
    return await discoveryOf(server)
  } finally {
    for (const { path, body } of published) await server.send('DELETE', `${path}/${body.metadata.name}`)
  }
}

async function compareAll(): Promise<void> {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  for (const { method, path, body } of probes) await server.send(method, path, body)
  for (const path of surplus) await server.send('DELETE', path)
  for (const name of names) {
    const real = recorded(name)
    const requests = suites[name].requests().filter(({ title }) => real[title])
    const ours = await answersOf(server, name, requests)
    const differ = requests.filter(({ title }) => !isDeepStrictEqual(plain(ours[title]), real[title])).map(({ title }) => title)
    writeSuiteDifferences(name, [...new Set(differ)].sort())
    process.stdout.write(`${name}: ${requests.length} requests, ${differ.length} answered otherwise\n`)
  }
  if (rowsToo) await compareRows()
}

async function compareRows(): Promise<void> {
  await using quiet = await quietCluster()
  const rows = allRows()
  const differing = differingSteps(rows, recordedRows(), await answersTo(quiet.server, rows))
  writeRowDifferences(differing.map(({ title }) => title))
  const steps = rows.reduce((sum, row) => sum + row.steps.length, 0)
  process.stdout.write(`rows: ${rows.length} of ${steps} steps, ${differing.length} answered otherwise\n`)
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}
