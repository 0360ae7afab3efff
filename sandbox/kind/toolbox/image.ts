import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareTools } from '../../terminal/tools.ts'
import type { Text } from '../../text.ts'
import { type Docker, DockerError } from '../docker.ts'

export interface ToolboxImageOptions {
  /** An image that is there already, built from this folder's Dockerfile or to the same end; nothing is built then. */
  image?: string
  /** What to build on; Debian's official image unless given or unless base.sh has imported one. */
  base?: string
}

const folder = join(import.meta.dirname, 'image')
const cache = join(import.meta.dirname, '..', '..', '..', '.cache')
const repository = 'labernetes/toolbox'
/** What image/base.sh imports unless told otherwise. */
const importedBase = 'labernetes/toolbox-base:bookworm'
const buildTimeout = 15 * 60_000

/**
 * The toolbox's image, built at the first call and named after the digest of everything that goes into it; a later call finds
 * it by that name. Resolves with its name, or with a sentence that says why it cannot be had.
 */
export async function toolboxImage(
  docker: Docker,
  options: ToolboxImageOptions = {},
  signal?: AbortSignal,
): Promise<{ image: string } | { missing: Text }> {
  try {
    if (options.image)
      return (await docker.hasImage(options.image))
        ? { image: options.image }
        : {
            missing: {
              en: `There is no toolbox image ${options.image} in Docker.`,
              zh: `Docker 里没有工具箱镜像 ${options.image}。`,
            },
          }
    const base = options.base ?? ((await docker.hasImage(importedBase)) ? importedBase : null)
    const tools = await prepareTools(cache)
    const image = `${repository}:${await digestOf(tools.folder, base ? await identityOf(docker, base) : '')}`
    if (!(await docker.hasImage(image))) await build(docker, image, tools.folder, base, signal)
    return { image }
  } catch (error) {
    if (signal?.aborted) throw error
    if (!(error instanceof DockerError)) return { missing: notBuilt((error as Error).message) }
    return {
      missing: {
        en: `The toolbox image cannot be built (${error.message}). Without an image registry, sandbox/kind/toolbox/image/base.sh makes its base.`,
        zh: `无法构建工具箱镜像（${error.message}）。没有镜像仓库可用时，sandbox/kind/toolbox/image/base.sh 可以做出它的基础镜像。`,
      },
    }
  }
}

function notBuilt(message: string): Text {
  return { en: `The toolbox image cannot be built: ${message}`, zh: `无法构建工具箱镜像：${message}` }
}

async function build(docker: Docker, image: string, tools: string, base: string | null, signal?: AbortSignal): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'toolbox-image-'))
  try {
    await cp(folder, context, { recursive: true })
    await cp(tools, join(context, 'tools'), { recursive: true })
    await docker.call(['build', '--tag', image, ...(base ? ['--build-arg', `BASE=${base}`] : []), context], {
      timeout: buildTimeout,
      ...(signal ? { signal } : {}),
    })
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

/** A base is meant as it is now: another one under the same name gives another toolbox. */
async function identityOf(docker: Docker, base: string): Promise<string> {
  const [found] = await docker.inspect<{ Id: string }>('image', [base])
  return found?.Id ?? base
}

async function digestOf(tools: string, base: string): Promise<string> {
  const hash = createHash('sha256').update(`${base}\0${process.arch}\0`)
  for (const place of [folder, tools])
    for (const entry of (await readdir(place, { recursive: true, withFileTypes: true })).sort((a, b) => (key(a) < key(b) ? -1 : 1)))
      if (entry.isFile()) hash.update(`${entry.name}\0`).update(await readFile(join(entry.parentPath, entry.name)))
  return hash.digest('hex').slice(0, 16)
}

function key(entry: { parentPath: string; name: string }): string {
  return join(entry.parentPath, entry.name)
}
