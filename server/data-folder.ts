import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { newId, newSecret } from '../platform/id.ts'

/** What the server keeps about itself in DATA_DIR, made at the first start. Readable by its own user alone. */
export interface DataFolder {
  /** Signs cookies. */
  secret: string
  /** Names this host among others on the same database. */
  hostName: string
}

export async function openDataFolder(folder: string): Promise<DataFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return {
    secret: await keep(path.join(folder, 'secret'), newSecret),
    hostName: await keep(path.join(folder, 'host-name'), newId),
  }
}

async function keep(file: string, make: () => string): Promise<string> {
  try {
    await writeFile(file, make(), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // It may have been restored from a backup with wider rights.
    await chmod(file, 0o600)
  }
  const value = (await readFile(file, 'utf8')).trim()
  if (value === '') throw new Error(`${file} is empty. Remove it and start again.`)
  return value
}
