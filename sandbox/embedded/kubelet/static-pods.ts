import { createHash } from 'node:crypto'
import { YAMLParseError } from 'yaml'
import type { Volume } from '../containers/runtime.ts'
import { copyOf } from '../machinery/copy.ts'
import { validateObjectMeta } from '../registry/metadata.ts'
import { isDns1123Subdomain } from '../registry/names.ts'
import { defaultPod } from '../registry/pod-defaults.ts'
import { validatePod, validatePodCreate } from '../registry/pod-validation.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { readYaml } from './node-yaml.ts'
import { apiReference } from './static-references.ts'

/** What says of a pod that a kubelet has it from a file, and of one in the API that it shows such a pod. */
const hashAnnotation = 'kubernetes.io/config.hash'
const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** By what a kubelet knows a pod of the API: a mirror pod shows the static pod with this uid. */
export function kubeletUid({ metadata }: Pod): string {
  return metadata.annotations?.[mirrorAnnotation] ?? metadata.uid ?? ''
}

export function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations?.[mirrorAnnotation] !== undefined
}

/** The hidden and unreadable ones are left out; `failures` says what is wrong with others. */
export interface Manifests {
  pods: Pod[]
  failures: string[]
}

/** A manifest that is one of a pod, but not of one that a kubelet runs by itself. */
class Refusal extends Error {}

/** The pods that the files of a folder describe, as the kubelet's file source completes them (pkg/kubelet/config/common.go). */
export function readManifests(files: Volume, folder: string, node: string, seen: string): Manifests {
  const found: Manifests = { pods: [], failures: [] }
  const root = folder.replace(/^\/+|\/+$/g, '')
  for (const name of files.list(root)) {
    const path = `${root}/${name}`
    if (name.startsWith('.') || files.kindOf(path) !== 'file') continue
    const text = Buffer.from(files.read(path) ?? []).toString()
    try {
      found.pods.push(staticPod(text, `/${path}`, node, seen))
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (error instanceof Refusal) found.failures.push(error.message)
      else {
        const message = error instanceof YAMLParseError ? yamlFailure(error) : error.message
        found.failures.push(`/${path}: couldn't parse as pod(${message}), please check config file`)
      }
    }
  }
  return found
}

function yamlFailure({ linePos, message }: YAMLParseError): string {
  return `yaml: line ${linePos?.[0].line ?? 1}: ${message.split('\n')[0]}`
}

function staticPod(text: string, path: string, node: string, seen: string): Pod {
  const pod = copyOf(readYaml(text)) as Pod | null
  if (typeof pod !== 'object' || pod === null || typeof pod.kind !== 'string') throw new Error("Object 'Kind' is missing")
  if (pod.kind !== 'Pod' || !Array.isArray(pod.spec?.containers)) throw new Error(`invalid pod: ${JSON.stringify(pod).slice(0, 200)}`)
  if (!pod.metadata?.name) throw new Refusal('invalid pod: name is needed for the pod')
  const { spec, metadata } = pod
  const uid =
    metadata.uid ??
    createHash('md5')
      .update(`${node}\0${path}\0${JSON.stringify(pod)}`)
      .digest('hex')
  const name = `${metadata.name}-${node}`.toLowerCase()
  const annotations = {
    ...metadata.annotations,
    [hashAnnotation]: uid,
    'kubernetes.io/config.seen': seen,
    'kubernetes.io/config.source': 'file',
  }
  const tolerations = [...(spec.tolerations ?? []), { effect: 'NoExecute', operator: 'Exists' }]
  const made: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name, namespace: metadata.namespace ?? 'default', uid, annotations },
    spec: { ...spec, nodeName: node, tolerations },
  }
  defaultPod(made)
  const errors = [...validateObjectMeta(made.metadata, true, isDns1123Subdomain), ...validatePod(made), ...validatePodCreate(made)]
  if (errors.length > 0) throw new Refusal(`invalid pod: [${errors.map(({ field, message }) => `${field}: ${message}`).join(' ')}]`)
  const reference = apiReference(made)
  if (reference !== undefined) throw new Refusal(`static pods may not reference ${reference}`)
  return made
}

/** What shows a static pod in the API. */
export function mirrorOf(pod: Pod, node: Node): Pod {
  const { uid = '', resourceVersion: _version, creationTimestamp: _created, ...metadata } = pod.metadata
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [mirrorAnnotation]: uid },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name ?? '', uid: node.metadata.uid ?? '', controller: true }],
    },
    spec: pod.spec,
  }
}
