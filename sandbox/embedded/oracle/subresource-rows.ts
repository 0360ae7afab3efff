import { mutationsOf } from './mutations.ts'
import { type Step, shortened, shuffled, singleSteps, types } from './row-steps.ts'
import { customStatuses } from './specimens/custom.ts'
import type { Fields, Specimen } from './specimens/index.ts'
import { statuses } from './specimens/statuses.ts'

/** How many single changes of a status are tried. */
const changesEach = 18

const scaled = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'ReplicationController', 'Gizmo (custom)'])

/** What is done to the status and the scale of a specimen's object. */
export function subresourceRows(specimen: Specimen): { what: string; steps(chance: () => number): Step[] }[] {
  const status = statuses[specimen.title] ?? (specimen.schema && customStatuses[specimen.kind])
  return [
    ...(status ? [{ what: 'status', steps: (chance: () => number) => statusSteps(specimen, status, chance) }] : []),
    ...(scaled.has(specimen.title) ? [{ what: 'scale', steps: () => scaleSteps(specimen) }] : []),
  ]
}

function statusSteps(specimen: Specimen, status: Fields, chance: () => number): Step[] {
  const { body } = specimen
  const { apiVersion, kind } = specimen
  const { name } = body['metadata'] as { name: string }
  const path = `/${name}/status`
  const whole = { ...body, status }
  const picked = shuffled(
    mutationsOf({ ...specimen, body: whole }).filter(({ title }) => /^status\b/.test(title)),
    chance,
  )
  const other = (index: number) => (picked[index % Math.max(picked.length, 1)]?.body['status'] ?? status) as unknown
  const dry = `${path}?dryRun=All&fieldManager=bob`
  const apply = (manager: string, applied: Fields, force = false, at = path): Step => ({
    title: `${manager} applies${force ? ' with force' : ''}${at === path ? '' : ' the object'}`,
    method: 'PATCH',
    path: `${at}?fieldManager=${manager}${force ? '&force=true' : ''}`,
    contentType: types.apply,
    body: { apiVersion, kind, metadata: { name }, ...applied },
  })
  const labelled = { ...whole, metadata: { ...(body['metadata'] as Fields), labels: { tier: 'one' }, annotations: { a: 'b' } } }
  const late = { metadata: { labels: { late: 'yes' }, annotations: { late: 'yes' }, finalizers: ['example.com/hold'] } }
  return [
    { title: 'create', method: 'POST', path: '?fieldManager=ann', body },
    { title: 'get', method: 'GET', path },
    { title: 'update', method: 'PUT', path: `${path}?fieldManager=kubelet`, body: labelled, current: true },
    ...singleSteps(whole, picked.slice(0, changesEach), dry, chance).map(shortened),
    { title: 'merge metadata', method: 'PATCH', path: `${path}?fieldManager=carl`, contentType: types.merge, body: late },
    apply('ann', { status }),
    apply('bob', { status: other(changesEach) }),
    apply('bob', { status: other(changesEach + 1) }, true),
    apply('ann', { spec: body['spec'], status: other(changesEach + 2) }, true),
    apply('ann', {}),
    apply('carl', { ...(body['spec'] ? { spec: body['spec'] } : {}), status }, true, `/${name}`),
    {
      title: 'dave updates the object',
      method: 'PUT',
      path: `/${name}?fieldManager=dave`,
      body: { ...body, status: other(changesEach + 3) },
      current: true,
    },
    { title: 'update an older one', method: 'PUT', path, body: withVersion(whole, '1') },
    { title: 'update any', method: 'PUT', path: `${path}?fieldManager=kubelet`, body: whole },
    { title: 'merge status null', method: 'PATCH', path: `${path}?fieldManager=carl`, contentType: types.merge, body: { status: null } },
    { title: 'delete', method: 'DELETE', path },
    { title: 'get the object', method: 'GET', path: `/${name}` },
  ]
}

function scaleSteps({ body, apiVersion, kind }: Specimen): Step[] {
  const { name } = body['metadata'] as { name: string }
  const path = `/${name}/scale`
  const scale = (more: Fields): Fields => ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name }, ...more })
  const to = (replicas: unknown) => scale({ spec: { replicas } })
  const update = (title: string, given: Fields, more: Partial<Step> = {}): Step => {
    return { title: `update ${title}`, method: 'PUT', path: `${path}?fieldManager=bob`, body: given, ...more }
  }
  const patch = (type: keyof typeof types, patched: unknown, query = '?fieldManager=carl'): Step => {
    const title = `${type}${query.replace('?fieldManager=', ' ')} ${JSON.stringify(patched)}`.slice(0, 120)
    return { title, method: 'PATCH', path: path + query, contentType: types[type], body: patched }
  }
  const apply = (manager: string, applied: Fields, query = '') => patch('apply', applied, `?fieldManager=${manager}${query}`)
  const object: Step = { title: 'get the object', method: 'GET', path: `/${name}` }
  const owned = (replicas?: number): Step => ({
    title: `ann applies the object with ${replicas ?? 'no'} replicas`,
    method: 'PATCH',
    path: `/${name}?fieldManager=ann&force=true`,
    contentType: types.apply,
    body: withReplicas({ ...body, apiVersion, kind }, replicas),
  })
  return [
    { ...object, title: 'get nothing', path },
    apply('ann', to(1)),
    owned(2),
    { title: 'get', method: 'GET', path },
    update('to 3', to(3), { current: true }),
    object,
    update('without a version', to(4)),
    update('an older one', withVersion(to(5), '1')),
    update('another name', { ...to(5), metadata: { name: 'two' } }),
    update('no name', { ...to(5), metadata: {} }),
    update('another uid', { ...to(5), metadata: { name, uid: 'another' } }),
    update('below zero', to(-1)),
    update('a text', to('5')),
    update('no spec', scale({})),
    update('another kind', { ...to(5), kind: 'Other' }),
    update('labels and status', { ...to(6), metadata: { name, labels: { a: 'b' } }, status: { replicas: 9, selector: 'x=y' } }),
    update('for practice', to(7), { path: `${path}?fieldManager=bob&dryRun=All` }),
    patch('merge', { spec: { replicas: 3 } }),
    patch('merge', { spec: { replicas: null } }),
    patch('merge', { spec: null }),
    patch('merge', { status: { replicas: 5 }, bogus: 1 }, '?fieldManager=carl&fieldValidation=Strict'),
    patch('json', [{ op: 'replace', path: '/spec/replicas', value: 2 }]),
    patch('json', [{ op: 'add', path: '/spec/replicas', value: 2 }]),
    patch('json', [{ op: 'test', path: '/spec/replicas', value: 5 }]),
    patch('strategic', { spec: { replicas: 4 } }),
    patch('merge', { metadata: { resourceVersion: '1' }, spec: { replicas: 5 } }),
    object,
    apply('ann', to(5)),
    apply('ann', to(5), '&force=true'),
    object,
    apply('bob', to(5)),
    object,
    apply('bob', to(6)),
    apply('bob', to(6), '&force=true'),
    object,
    apply('ann', scale({})),
    apply('bob', scale({})),
    object,
    apply('bob', to(0)),
    object,
    apply('bob', to(-1), '&force=true'),
    apply('bob', to('many'), '&force=true'),
    apply('bob', { ...to(3), bogus: 1 }, '&force=true'),
    apply('bob', { ...to(3), metadata: { name, labels: { a: 'b' } } }, '&force=true'),
    apply('bob', { ...to(3), metadata: { name: 'two' } }, '&force=true'),
    apply('bob', { ...to(3), metadata: { name, managedFields: [] } }, '&force=true'),
    apply('bob', { ...to(3), metadata: { name, resourceVersion: '1' } }, '&force=true'),
    apply('bob', { ...to(3), status: { replicas: 7 } }, '&force=true'),
    apply('bob', { apiVersion, kind, metadata: { name }, spec: { replicas: 3 } }, '&force=true'),
    apply('carl', to(8), '&force=true&dryRun=All'),
    owned(3),
    object,
    apply('carl', to(3)),
    owned(),
    object,
    { title: 'delete', method: 'DELETE', path },
  ]
}

function withVersion(body: Fields, resourceVersion: string): Fields {
  return { ...body, metadata: { ...(body['metadata'] as Fields), resourceVersion } }
}

function withReplicas(body: Fields, replicas: number | undefined): Fields {
  const { replicas: _, ...spec } = body['spec'] as Fields
  return { ...body, spec: replicas === undefined ? spec : { ...spec, replicas } }
}
