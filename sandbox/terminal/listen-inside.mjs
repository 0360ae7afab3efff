// Run inside a toolbox's network namespace: listens on loopback, hands the socket to the parent, ends when told.
import { createServer } from 'node:net'

const server = createServer()
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  process.send('listening', server)
})
process.once('message', () => process.exit(0))
process.once('disconnect', () => process.exit(0))
