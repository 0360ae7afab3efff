import type { Docker } from './docker.ts'
import { findKind } from './kind.ts'
import { examineMachine, whyNoCluster } from './machine.ts'

/** What tests of real kind clusters need, or the sentence that says why they are skipped. */
export type KindGround = { docker: Docker; nodeImages: ReadonlyMap<string, string> } | { missing: string }

const kit = 'kind-kit/node:v1.34.4'
const official = 'kindest/node:v1.34.0'

/** Finds Docker, kind and a node image that is here already: a test pulls nothing. */
export async function findGround(cache: string): Promise<KindGround> {
  const machine = await examineMachine()
  const reason = whyNoCluster(machine)
  if (reason) return { missing: reason.en }
  const docker = machine.docker!
  const noKind = await findKind(cache).then(
    () => null,
    (error: Error) => error.message,
  )
  if (noKind) return { missing: noKind }
  const configured = process.env['KIND_NODE_IMAGES']?.split(',')[0]?.split('=')[1]
  for (const image of [configured, kit, official])
    if (image && (await docker.hasImage(image))) return { docker, nodeImages: new Map([['1.34', image]]) }
  return { missing: `No kind node image is here. Get one: docker pull ${official}` }
}
