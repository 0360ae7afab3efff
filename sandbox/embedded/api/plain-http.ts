import type { Duplex } from 'node:stream'

/**
 * Hands a connection on to where TLS is spoken. One whose client begins with plain HTTP is answered and ended, as Go's server does it
 * (net/http server.go, tlsRecordHeaderLooksLikeHTTP); one whose client says nothing is ended after as long as a handshake may take.
 */
export function acceptTls(connection: Duplex, secure: (connection: Duplex) => void): void {
  let first: Buffer = Buffer.alloc(0)
  const hear = () => {
    for (let chunk = connection.read() as Buffer | null; chunk; chunk = connection.read() as Buffer | null)
      first = Buffer.concat([first, chunk])
    if (first.length < recordHeader) return
    done()
    if (requests.has(first.toString('latin1', 0, recordHeader))) {
      connection.end(refusal, () => connection.destroy())
      return
    }
    connection.unshift(first)
    secure(connection)
  }
  const giveUp = () => {
    connection.destroy()
  }
  const done = () => {
    clearTimeout(impatient)
    connection.off('readable', hear).off('end', giveUp).off('close', done)
  }
  // real time: it is for the network, which the cluster's clock does not move
  const impatient = setTimeout(giveUp, longestSilence)
  connection.on('error', giveUp).on('close', done).on('end', giveUp).on('readable', hear)
}

/** ms that a client has for its first words; Node gives a handshake the same. */
const longestSilence = 120_000
/** Bytes of a TLS record's header. */
const recordHeader = 5
const requests = new Set(['GET /', 'HEAD ', 'POST ', 'PUT /', 'OPTIO'])
const refusal = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'
