import type { Client } from '../machinery/context.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'
import { builtInResources } from '../registry/index.ts'
import { gatewayObjects } from './manifest.ts'
import { gatewayGroup, gatewayResources } from './types.ts'

/** Installs the built-in gateway in a cluster that has none. Rejects with ApiError. */
export async function installGateway(client: Client): Promise<void> {
  for (const object of gatewayObjects()) await client.create(resourceOf(object), object)
}

function resourceOf({ apiVersion, kind }: KubeObject): Resource {
  if (apiVersion.startsWith(gatewayGroup)) return gatewayResources.gatewayClasses
  const found = builtInResources.find((info) => info.kind === kind && apiVersion === [info.group, info.version].filter(Boolean).join('/'))
  if (!found) throw new Error(`no built-in resource is a ${kind} of ${apiVersion}`)
  return found
}
