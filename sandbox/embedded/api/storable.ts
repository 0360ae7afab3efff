import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import { encodeProtobuf } from '../protobuf/index.ts'
import { wireTypeOf } from '../schema/wire.ts'

/** Bytes that etcd takes in one request (--max-request-bytes), and that its client sends. */
const largestRequest = 1.5 * 2 ** 20
const largestSent = 2 * 2 ** 20

/**
 * Refuses an object that etcd would not take: built-in kinds are stored as protobuf, others as JSON. Throws ApiError 500 with
 * the words of etcd, which is all that the API server says.
 */
export function assertStorable(object: KubeObject): void {
  // JSON takes more than protobuf, and a character at most three bytes
  if (sizeOfStored(object) <= largestRequest / 3) return
  const bytes = wireTypeOf(object.apiVersion, object.kind) ? encodeProtobuf(object).length : Buffer.byteLength(JSON.stringify(object))
  if (bytes <= largestRequest) return
  const sent = `rpc error: code = ResourceExhausted desc = trying to send message larger than max (${bytes} vs. ${largestSent})`
  throw new ApiError(500, undefined, bytes > largestSent ? sent : 'etcdserver: request is too large')
}
