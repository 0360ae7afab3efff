import { promisify } from 'node:util'
import { gunzip, gzip, type InputType, type ZlibOptions } from 'node:zlib'
import type { Process } from '../kernel/process.ts'

const zipped = promisify<InputType, Buffer>(gzip)
const unzipped = promisify<InputType, ZlibOptions, Buffer>(gunzip)
/** Bytes that an archive may come to: what an empty one of a few kB would take of this process has an end. */
const longestContent = 128 * 2 ** 20
/** Nanoseconds for a byte that is compressed, and for one that comes out of an archive. */
const price = { zip: 20, unzip: 3 }

/** Bytes through gzip, beside the thread that all containers share; cluster time stands still meanwhile. */
export async function gzipped(process: Process, content: Uint8Array): Promise<Uint8Array> {
  const wait = process.spend(content.length * price.zip)
  if (wait) await wait
  return process.until(() => process.machine.clock.during(zipped(content)))
}

/** The same back. Rejects with zlib's error for what is no archive, or too much. */
export async function gunzipped(process: Process, archive: Uint8Array): Promise<Uint8Array> {
  const content = await process.until(() => process.machine.clock.during(unzipped(archive, { maxOutputLength: longestContent })))
  const wait = process.spend(content.length * price.unzip)
  if (wait) await wait
  return content
}
