import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { newId } from './id.ts'

/** Where the bytes of evidence are, found by what they are. Same bytes, same digest, stored once. */
export interface EvidenceStore {
  /** Resolves when the bytes are on stable storage. `digest` is sha256 in hexadecimal. */
  put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; bytes: number }>
  /** Rejects when there is nothing under the digest. */
  get(digest: string): Promise<AsyncIterable<Uint8Array>>
}

/** Files in a folder: <first two digits>/<digest>. */
export function openFileEvidenceStore(folder: string): EvidenceStore {
  const place = (digest: string): string => {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error('Not a sha256 digest')
    return path.join(folder, digest.slice(0, 2), digest)
  }
  return {
    async put(content) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const draft = path.join(folder, `draft-${newId()}`)
      try {
        const written = await writeDraft(draft, content)
        const target = place(written.digest)
        await mkdir(path.dirname(target), { recursive: true, mode: 0o700 })
        await rename(draft, target)
        await syncFolder(path.dirname(target))
        return written
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
    },
    async get(digest) {
      const file = place(digest)
      await stat(file)
      return createReadStream(file)
    },
  }
}

async function writeDraft(file: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  await using handle = await open(file, 'wx', 0o600)
  for await (const chunk of content instanceof Uint8Array ? [content] : content) {
    hash.update(chunk)
    bytes += chunk.byteLength
    await handle.writeFile(chunk)
  }
  await handle.sync()
  return { digest: hash.digest('hex'), bytes }
}

/** A renamed file survives a power cut only when its folder was synced too. */
async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}
