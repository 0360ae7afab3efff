import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Secret } from '../schema/types/core.v1.ts'

type Pair = { certificate: string; key: string }

/** By Secret: what is read from the store is one object until it is written again. */
const known = new WeakMap<Secret, Pair | string>()

/** The certificate and key of a Secret (PEM), or what is wrong with it. */
export function tlsPair(secret: Secret | undefined): Pair | string {
  if (!secret) return 'does not exist'
  const pair = known.get(secret) ?? readPair(secret)
  known.set(secret, pair)
  return pair
}

function readPair({ data }: Secret): Pair | string {
  const read = (entry: string) => Buffer.from(data?.[entry] ?? '', 'base64').toString()
  const pair = { certificate: read('tls.crt'), key: read('tls.key') }
  try {
    const certificate = new X509Certificate(pair.certificate)
    return certificate.checkPrivateKey(createPrivateKey(pair.key)) ? pair : "has a key that is not its certificate's"
  } catch (error) {
    return `has no valid tls.crt and tls.key: ${error instanceof Error ? error.message : String(error)}`
  }
}
