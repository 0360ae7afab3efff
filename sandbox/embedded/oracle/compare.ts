import type { Fields, Kind, Operation } from './operations.ts'
import type { Answer, Server } from './server.ts'

const contentTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}

/** Does one operation and returns what a client is told, without what may differ: identities, times, revisions. */
export async function perform(server: Server, namespace: string, kind: Kind, operation: Operation): Promise<Answer> {
  const collection = `${kind.root}/namespaces/${namespace}/${kind.resource}`
  const object = `${collection}/${operation.name}`
  const whole = (body: Fields, more: Fields = {}): Fields => {
    const metadata = { ...(body['metadata'] as Fields), name: operation.name, ...more }
    return { apiVersion: kind.apiVersion, kind: kind.kind, ...body, metadata }
  }
  switch (operation.do) {
    case 'create':
      return unaccounted(await server.send('POST', `${collection}?fieldManager=ann`, whole(operation.body)))
    case 'update': {
      const { body } = await server.send('GET', object)
      const current = (body as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion
      const resourceVersion = operation.stale ? '1' : current
      return unaccounted(
        await server.send('PUT', `${object}?fieldManager=bob`, whole(operation.body, resourceVersion ? { resourceVersion } : {})),
      )
    }
    case 'patch':
      return unaccounted(await server.send('PATCH', `${object}?fieldManager=carl`, operation.body, contentTypes[operation.type]))
    case 'apply': {
      const query = `fieldManager=${operation.manager}${operation.force ? '&force=true' : ''}`
      return unaccounted(await server.send('PATCH', `${object}?${query}`, whole(operation.body), 'application/apply-patch+yaml'))
    }
    case 'delete':
      return unaccounted(await server.send('DELETE', object, { apiVersion: 'v1', kind: 'DeleteOptions', ...operation.body }))
  }
}

/** Takes the finalizers off, so that a deletion comes to its end. */
export async function clear(server: Server, namespace: string, kind: Kind): Promise<void> {
  for (const name of ['one', 'two']) {
    const path = `${kind.root}/namespaces/${namespace}/${kind.resource}/${name}`
    await server.send('PATCH', path, { metadata: { finalizers: null } }, contentTypes.merge)
    await server.send('DELETE', path)
  }
}

/** An answer without what may differ between two servers that behave alike. */
export function unaccounted({ status, body }: Answer): Answer {
  const scrubbed = scrub(body) as Fields
  return { status, body: status < 400 ? scrubbed : withoutOrder(scrubbed) }
}

/**
 * A refusal with its causes sorted, each told once: the real server walks maps in another order every time, stops at the first
 * field of a map that no schema declares, and checks some things twice.
 */
function withoutOrder(body: Fields): Fields {
  const details = body['details'] as { causes?: { field: string; message: string }[] } | undefined
  const message = String(body['message'])
  if (/field not declared in schema/.test(message)) return { ...body, message: 'field not declared in schema' }
  if (/^failed to create typed patch object/.test(message))
    return { ...body, message: [...new Set(message.split('\n').map((line) => line.trim()))].sort() }
  // of several values of the wrong type one is told, the first of the text there, of the type here
  if (/^.* cannot be handled as .*: (json: cannot unmarshal|illegal base64)/.test(message)) return { ...body, message: 'cannot unmarshal' }
  if (!details?.causes) return body
  // the whole object as it would have become stands in the message, with its times and revisions
  if (details.causes[0]?.field === 'patch') return { ...body, details: 'patch', message: 'the patched object is of another type' }
  const causes = [...new Map(details.causes.map((cause) => [JSON.stringify(cause), cause])).entries()].sort().map(([, cause]) => cause)
  return { ...body, message: message.replace(/ is invalid: .*/s, ' is invalid'), details: { ...details, causes } }
}

/** Managers stand by when they last wrote, to the second: a clock that moves orders them as it likes. */
function inOrder(entries: readonly unknown[]): unknown[] {
  const identity = (entry: unknown) => {
    const { operation, manager, apiVersion, subresource = '' } = entry as Record<string, unknown>
    return JSON.stringify([operation, manager, apiVersion, subresource])
  }
  return entries.toSorted((a, b) => (identity(a) < identity(b) ? -1 : 1))
}

function scrub(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    if (/^(uid|resourceVersion|selfLink)$/.test(key)) return `<${key}>`
    if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value)) return '<time>'
    return value
      .replace(
        /(the UID in the precondition: )\S+|(UID in object meta: )\S+|(ResourceVersion in the precondition: )\S+|(object meta: )\d+/g,
        '$1$2$3$4<x>',
      )
      .replace(/(Too large resource version: \d+, current: )\d+/g, '$1<x>')
      .replace(/(the ResourceVersion in record )\(\d+\)/g, '$1(<x>)')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, '<uid>')
      .replace(/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<x>')
  }
  if (Array.isArray(value)) return (key === 'managedFields' ? inOrder(value) : value).map((item) => scrub(item))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, scrub(inner, name)]))
}
