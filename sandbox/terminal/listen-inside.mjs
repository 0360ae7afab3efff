// Run inside a toolbox's network namespace: listens at each address, hands the sockets to the parent, ends when told.
import { createServer } from 'node:net'

process.once('message', () => process.exit(0))
process.once('disconnect', () => process.exit(0))

// One after the other, each let go of when the parent has it: a connection that came here would be lost.
for (const address of process.argv.slice(2)) {
  const [ip, port] = address.split(':')
  const server = createServer()
  await new Promise((done) => {
    const handedOver = () => {
      server.close()
      done()
    }
    server.once('error', () => process.send({ address, taken: false }, done))
    server.listen(Number(port), ip, () => process.send({ address, taken: true }, server, handedOver))
  })
}
