import { expect, it } from 'vitest'
import type { PodTemplateSpec } from '../schema/types/core.v1.ts'
import { podTemplateHash } from './pod-template-hash.ts'

const nginx = (app: string): PodTemplateSpec => ({
  metadata: { labels: { app } },
  spec: {
    containers: [
      {
        name: 'nginx',
        image: 'nginx:1.27',
        resources: {},
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      },
    ],
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
  },
})

const resources: PodTemplateSpec = {
  metadata: {},
  spec: {
    containers: [{ name: 'c', resources: { requests: { cpu: '0.5', memory: '1e3' }, limits: { cpu: '2', memory: '100M', 'x/y': '1k' } } }],
  },
}

// The names that a 1.34.4 cluster gave, or Kubernetes' own Go code printed, for these templates.
it.each([
  ['kubectl create deployment web --image=nginx:1.27', nginx('web'), '66d47686b4'],
  ['kubectl create deployment hash-helper --image=nginx:1.27', nginx('hash-helper'), '65ddccffdf'],
  ['quantities of all forms', resources, '5ccf65fcbb'],
])('gives ReplicaSets the names that a real cluster gives them: %s', (_, template, hash) => {
  expect(podTemplateHash(template)).toBe(hash)
})

it('gives another name after a collision', () => {
  expect(podTemplateHash(nginx('web'), 1)).not.toBe(podTemplateHash(nginx('web')))
})
