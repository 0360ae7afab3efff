import { readServed, toStored } from '../api/conversion.ts'
import type { ServedResources } from '../api/resources.ts'
import { copyOf } from '../machinery/copy.ts'
import { qualified } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { AdmissionRequest } from './admission.ts'

/**
 * The other names under which an object is served (versions, groups), for rules with matchPolicy Equivalent: whoever matches
 * one of them sees the object in that version.
 */
export function conversions(resources: Pick<ServedResources, 'all'>) {
  return {
    /** Where else the request's resource is served, with the same subresource. */
    of({ resource, subresource }: AdmissionRequest): ResourceInfo[] {
      const own = find(resource)
      if (!own) return []
      const table = qualified(own.storage)
      return resources
        .all()
        .filter((info) => info !== own && qualified(info.storage) === table)
        .filter((info) => !subresource || info.subresources.some(({ name }) => name === subresource))
    },

    /** The request as if it had been made in another version. Rejects with ApiError. */
    async convert(request: AdmissionRequest, to: ResourceInfo): Promise<AdmissionRequest> {
      const own = find(request.resource)
      const whole = own && own.kind === request.kind.kind && own.group === request.kind.group ? own : undefined
      const resource = { group: to.group, version: to.version, resource: to.resource }
      if (!whole) return { ...request, resource }
      const convert = async (object: KubeObject | undefined) => object && (await between(whole, to, object))
      const kind = { group: to.group, version: to.version, kind: to.kind }
      const [object, oldObject] = [await convert(request.object), await convert(request.oldObject)]
      return { ...request, resource, kind, object, oldObject, read: (value) => request.readAs(to, value) }
    },

    /** An object that was changed in another version, in the request's own. Rejects with ApiError. */
    async back(object: KubeObject, seen: AdmissionRequest, request: AdmissionRequest): Promise<KubeObject> {
      const [from, to] = [find(seen.resource), find(request.resource)]
      if (seen === request || !from || !to || seen.kind.version === request.kind.version) return object
      return between(from, to, object)
    },
  }

  function find({ group, version, resource }: AdmissionRequest['resource']): ResourceInfo | undefined {
    return resources.all().find((info) => info.group === group && info.version === version && info.resource === resource)
  }
}

async function between(from: ResourceInfo, to: ResourceInfo, object: KubeObject): Promise<KubeObject> {
  return copyOf(await readServed(to, copyOf(await toStored(from, object))))
}
