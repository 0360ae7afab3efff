import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Docker, DockerError } from './docker.ts'

const pullTimeout = 600_000
const importTimeout = 180_000

/**
 * Puts images into nodes from this machine's Docker, so that no node asks a registry. An image that this Docker lacks is
 * pulled first. Rejects with a sentence that names the image.
 */
export async function loadImages(docker: Docker, nodes: readonly string[], images: readonly string[], signal?: AbortSignal): Promise<void> {
  if (images.length === 0) return
  const missing = await missingIn(docker, nodes, images, signal)
  for (const image of new Set(missing.map((one) => one.image))) await ensureImage(docker, image, signal)
  for (const node of nodes) {
    const wanted = missing.filter((one) => one.node === node).map(({ image }) => image)
    if (wanted.length > 0) await copyImages(docker, node, wanted, signal)
  }
}

/** The labs' training server, on every node from the start as on the embedded engine. */
export const labappImages: readonly string[] = ['labapp:v1', 'labapp:v2']
/** What image/base.sh of the toolbox imports where there is no registry; it has all that labapp wants. */
const importedBase = 'labernetes/toolbox-base:bookworm'

/** Pulls an image that is not here, or builds it if it is one of ours. Rejects with what to do where there is no registry. */
export async function ensureImage(docker: Docker, image: string, signal?: AbortSignal): Promise<void> {
  if (await docker.hasImage(image)) return
  if (labappImages.includes(image)) return buildLabapp(docker, image, signal)
  try {
    await docker.call(['pull', '--quiet', image], { timeout: pullTimeout, ...(signal ? { signal } : {}) })
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    throw new Error(`The image ${image} is not here and could not be pulled. Load it with docker load. (${error.message})`, {
      cause: error,
    })
  }
}

async function buildLabapp(docker: Docker, image: string, signal?: AbortSignal): Promise<void> {
  const base = (await docker.hasImage(importedBase)) ? ['--build-arg', `BASE=${importedBase}`] : []
  const version = ['--build-arg', `VERSION=${image.split(':')[1]}`]
  try {
    await docker.call(['build', '--quiet', '--tag', image, ...base, ...version, join(import.meta.dirname, 'labapp')], {
      timeout: pullTimeout,
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    throw new Error(`The image ${image} cannot be built (${error.message}). sandbox/kind/toolbox/image/base.sh makes a base for it.`, {
      cause: error,
    })
  }
}

/** Which of the images are not in which of the nodes. */
async function missingIn(
  docker: Docker,
  nodes: readonly string[],
  images: readonly string[],
  signal?: AbortSignal,
): Promise<{ node: string; image: string }[]> {
  const found = await Promise.all(
    nodes.map(async (node) => {
      const argv = ['ctr', '--namespace=k8s.io', 'images', 'list', '--quiet']
      const { exitCode, stdout, stderr } = await docker.exec(node, argv, signal ? { signal } : {})
      if (exitCode !== 0) throw new Error(`The images of ${node} cannot be listed: ${stderr.trim()}`)
      const present = new Set(stdout.split('\n'))
      return images.filter((image) => !present.has(familiar(image))).map((image) => ({ node, image }))
    }),
  )
  return found.flat()
}

/** `docker save | ctr images import` in the node. */
async function copyImages(docker: Docker, node: string, images: readonly string[], signal?: AbortSignal): Promise<void> {
  const options = { stdio: ['pipe', 'pipe', 'pipe'] as ['pipe', 'pipe', 'pipe'], ...(signal ? { signal } : {}), timeout: importTimeout }
  const save = spawn(docker.program, ['save', ...images], options)
  const load = spawn(
    docker.program,
    ['exec', '--interactive', node, 'ctr', '--namespace=k8s.io', 'images', 'import', '--digests', '--snapshotter=overlayfs', '-'],
    options,
  )
  save.stdin.end()
  save.stdout.pipe(load.stdin)
  load.stdin.on('error', () => undefined) // the import ended early: its exit code says why
  const [saved, loaded] = await Promise.all([ended(save), ended(load)])
  signal?.throwIfAborted()
  for (const { code, text } of [saved, loaded])
    if (code !== 0) throw new Error(`Images could not be loaded into ${node} (${images.join(', ')}): ${text.trim().split('\n').at(-1)}`)
}

function ended(child: ReturnType<typeof spawn>): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', (error) => resolve({ code: 127, text: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 137, text: Buffer.concat(chunks).toString('utf8') }))
  })
}

/** An image's name as containerd keeps it: busybox:1.36 is docker.io/library/busybox:1.36. */
export function familiar(image: string): string {
  const [first = '', ...rest] = image.split('/')
  const hasHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost')
  const path = hasHost ? image : `docker.io/${rest.length > 0 ? image : `library/${image}`}`
  const last = path.slice(path.lastIndexOf('/'))
  return last.includes(':') || last.includes('@') ? path : `${path}:latest`
}
