import { createHash } from 'node:crypto'
import { realpath, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

/**
 * Takes a folder for this process until disposed. The lock is a socket that this process listens on, so that it is free
 * again the moment the process is gone, also after kill -9. Throws when another process has it.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const place = await socketPath(folder)
  if (await answers(place)) throw new Error(`${folder} is in use by another Labernetes. Stop it, or choose another DATA_DIR.`)
  await rm(place, { force: true })
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(place, resolve)
  })
  server.unref()
  return {
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** Inside the folder; in the folder for temporary files when that name is too long for a socket (104 bytes on macOS). */
async function socketPath(folder: string): Promise<string> {
  const real = await realpath(folder)
  const inside = path.join(real, 'in-use.sock')
  if (Buffer.byteLength(inside) < 100) return inside
  return path.join(tmpdir(), `labernetes-${createHash('sha256').update(real).digest('hex').slice(0, 24)}.sock`)
}

function answers(place: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(place)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(false)
      else reject(error)
    })
  })
}
