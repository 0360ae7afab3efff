// Run inside a toolbox's network namespace: listens at each address, hands the sockets to the parent, ends when told.
import { createServer } from 'node:net'

for (const address of process.argv.slice(2)) {
  const [ip, port] = address.split(':')
  const server = createServer()
  server.once('error', () => process.send({ address, taken: false }))
  server.listen(Number(port), ip, () => process.send({ address, taken: true }, server))
}
process.once('message', () => process.exit(0))
process.once('disconnect', () => process.exit(0))
