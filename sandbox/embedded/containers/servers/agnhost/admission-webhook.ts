import type { HttpRequest, HttpResponse } from '../../../network/network.ts'
import { NetworkError } from '../../../network/network.ts'
import { command } from '../../go/flags.ts'
import type { Process } from '../../kernel/process.ts'
import { answer, header } from '../http.ts'
import { json, serveTls, tlsFlags } from './serve-tls.ts'

interface Review {
  apiVersion: string
  kind: string
  request: Asked
}

interface Asked {
  uid: string
  name?: string
  operation: string
  resource: { group: string; version: string; resource: string }
  subResource?: string
  object?: Reviewed | null
  oldObject?: Reviewed | null
}

interface Reviewed {
  metadata?: { name?: string; labels?: Record<string, string> }
  data?: Record<string, string>
  spec?: { containers?: { name: string }[]; initContainers?: { name: string }[] }
  stdin?: boolean
  container?: string
}

interface Verdict {
  allowed: boolean
  status?: { message?: string; reason?: string; status?: string; code?: number }
  patch?: unknown[]
}

/** Undefined is no answer: the connection ends, as where the Go program panics. */
type Admit = (asked: Asked, process: Process) => Verdict | undefined | Promise<Verdict | undefined>

/** The admission webhooks that Kubernetes' own tests deploy, a path each. */
export const admissionWebhook = command({
  short: 'Starts a HTTP server, useful for testing MutatingAdmissionWebhook and ValidatingAdmissionWebhook',
  flags: { ...tlsFlags, 'sidecar-image': '' },
  args: 0,
  run(process, flags) {
    const handlers = new Map<string, Admit>([...paths, ['/mutating-pods-sidecar', addSidecar(flags['sidecar-image'])]])
    return serveTls(process, flags, async (request) => {
      const path = request.path.split('?')[0] as string
      if (path === '/readyz') return answer(200, 'ok')
      const admit = handlers.get(path)
      return admit ? review(process, request, admit) : answer(404, '404 page not found\n')
    })
  },
})

async function review(process: Process, request: HttpRequest, admit: Admit): Promise<HttpResponse> {
  if (header(request.headers, 'content-type') !== 'application/json') return answer(200, '')
  let asked: Review
  try {
    asked = JSON.parse(new TextDecoder().decode(request.body)) as Review
  } catch (error) {
    return answer(400, `Request could not be decoded: ${(error as Error).message}\n`)
  }
  if (asked.kind !== 'AdmissionReview' || !['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'].includes(asked.apiVersion)) {
    return answer(400, `Unsupported group version kind: ${asked.apiVersion}, Kind=${asked.kind}\n`)
  }
  const verdict = await admit(asked.request, process)
  if (!verdict) throw new NetworkError('ECONNRESET', 'connection reset by peer')
  const { patch, ...rest } = verdict
  const patched = patch ? { patch: Buffer.from(JSON.stringify(patch)).toString('base64'), patchType: 'JSONPatch' } : {}
  return json({ kind: asked.kind, apiVersion: asked.apiVersion, response: { uid: asked.request.uid, ...rest, ...patched } })
}

const allowed: Verdict = { allowed: true }

const paths: [string, Admit][] = [
  [
    '/always-allow-delay-5s',
    async (_asked, process) => {
      await process.sleep(5000)
      return { allowed: true, status: { message: 'this webhook allows all requests' } }
    },
  ],
  ['/always-deny', () => denied('this webhook denies all requests')],
  ['/add-label', addLabel],
  ['/pods', admitPods],
  ['/pods/attach', denyAttachment],
  ['/mutating-pods', addInitContainer],
  ['/configmaps', unwantedData('configmap', 'key and value')],
  ['/mutating-configmaps', stages],
  ['/custom-resource', unwantedData('custom resource', 'data')],
  ['/mutating-custom-resource', stages],
  ['/crd', unwantedLabel],
]

function denied(message: string): Verdict {
  return { allowed: false, status: { message } }
}

function addLabel({ object }: Asked): Verdict {
  const labels = object?.metadata?.labels ?? {}
  if (Object.keys(labels).length === 0) {
    return { allowed: true, patch: [{ op: 'add', path: '/metadata/labels', value: { 'added-label': 'yes' } }] }
  }
  if (labels['added-label'] === 'yes') return allowed
  const op = 'added-label' in labels ? 'replace' : 'add'
  return { allowed: true, patch: [{ op, path: '/metadata/labels/added-label', value: 'yes' }] }
}

async function admitPods(asked: Asked, process: Process): Promise<Verdict> {
  if (!isAboutPods(asked)) return notPods
  const { object } = asked
  const why: string[] = []
  const label = object?.metadata?.labels?.['webhook-e2e-test']
  if (label === 'webhook-disallow') why.push('the pod contains unwanted label;')
  if (label === 'wait-forever') await process.block<never>(() => undefined)
  for (const { name } of object?.spec?.containers ?? []) {
    if (name.includes('webhook-disallow')) why.push('the pod contains unwanted container name;')
  }
  return why.length > 0 ? denied(why.join(' ')) : allowed
}

function denyAttachment(asked: Asked): Verdict {
  if (asked.name !== 'to-be-attached-pod') return allowed
  if (!isAboutPods(asked)) return notPods
  if (asked.subResource !== 'attach') return denied(`expect subresource to be attach, got ${asked.subResource ?? ''}`)
  const { object } = asked
  return object?.stdin && object.container === 'container1' ? denied("attaching to pod 'to-be-attached-pod' is not allowed") : allowed
}

function addInitContainer(asked: Asked): Verdict | undefined {
  if (!isAboutPods(asked)) return undefined
  const { metadata, spec } = asked.object ?? {}
  const added = 'webhook-added-init-container'
  if (metadata?.name !== 'webhook-to-be-mutated' || spec?.initContainers?.some(({ name }) => name === added)) return allowed
  const value = [{ image: 'webhook-added-image', name: added, resources: {} }]
  return { allowed: true, patch: [{ op: 'add', path: '/spec/initContainers', value }] }
}

function addSidecar(image: string): Admit {
  return (asked) => {
    if (!image) {
      const message = 'No image specified by the sidecar-image parameter'
      return { allowed: false, status: { status: 'Failure', message, code: 500 } }
    }
    if (!isAboutPods(asked)) return undefined
    const added = 'webhook-added-sidecar'
    if (asked.object?.spec?.containers?.some(({ name }) => name === added)) return allowed
    return { allowed: true, patch: [{ op: 'add', path: '/spec/containers/-', value: { image, name: added, resources: {} } }] }
  }
}

/** Refuses what holds the data that the tests mark as unwanted; the reason stands where a message would. */
function unwantedData(what: string, unwanted: string): Admit {
  return ({ operation, object, oldObject }) => {
    const value = (operation === 'DELETE' ? oldObject : object)?.data?.['webhook-e2e-test']
    if (value === 'webhook-disallow' && (operation === 'CREATE' || operation === 'UPDATE')) {
      return { allowed: false, status: { reason: `the ${what} contains unwanted ${unwanted}` } }
    }
    if (value === 'webhook-nondeletable' && operation === 'DELETE') {
      return { allowed: false, status: { reason: `the ${what} cannot be deleted because it contains unwanted key and value` } }
    }
    return allowed
  }
}

/** The second stage answers to what the first has written: webhooks one after the other. */
function stages({ object }: Asked): Verdict {
  const data = object?.data ?? {}
  const stage = data['mutation-stage-1'] === 'yes' ? 2 : data['mutation-start'] === 'yes' ? 1 : 0
  if (stage === 0) return allowed
  return { allowed: true, patch: [{ op: 'add', path: `/data/mutation-stage-${stage}`, value: 'yes' }] }
}

function unwantedLabel({ object }: Asked): Verdict {
  return object?.metadata?.labels?.['webhook-e2e-test'] === 'webhook-disallow' ? denied('the crd contains unwanted label') : allowed
}

const notPods = denied('expect resource to be {"" "v1" "pods"}')

function isAboutPods({ resource }: Asked): boolean {
  return resource.group === '' && resource.version === 'v1' && resource.resource === 'pods'
}
