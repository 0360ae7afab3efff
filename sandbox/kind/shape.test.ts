import { expect, test } from 'vitest'
import { familiar } from './images.ts'
import { subnetOf } from './network.ts'
import { findNode, planNodes, shapeKey, shapeOf } from './shape.ts'

const images = new Map([
  ['1.34', 'node:1.34'],
  ['1.33.2', 'node:1.33.2'],
])

test('a lab that names no version gets the first, one that does gets its own', () => {
  expect(shapeOf({ nodes: 1 }, images, []).nodeImage).toBe('node:1.34')
  expect(shapeOf({ nodes: 1, shape: { kubernetesVersion: '1.34.9' } }, images, []).nodeImage).toBe('node:1.34')
  expect(shapeOf({ nodes: 1, shape: { kubernetesVersion: '1.33.2' } }, images, []).nodeImage).toBe('node:1.33.2')
  expect(() => shapeOf({ nodes: 1, shape: { kubernetesVersion: '1.33' } }, images, [])).toThrow('There are: 1.34, 1.33.2')
})

test('clusters stand for each other when they are made of the same, however it was written down', () => {
  const key = (shape: Parameters<typeof shapeOf>[0]['shape'], nodes = 1) =>
    shapeKey(shapeOf({ nodes, ...(shape ? { shape } : {}) }, images, ['base:1']))
  expect(key({ images: ['b:1', 'a:1'], featureGates: { A: true, B: false } })).toBe(
    key({ images: ['a:1', 'b:1', 'base:1'], featureGates: { B: false, A: true } }),
  )
  expect(key({})).toBe(key({ cni: 'kindnet' }))
  const others = [key({}), key({}, 2), key({ cni: 'flannel' }), key({ featureGates: { A: true } }), key({ images: ['a:1'] })]
  expect(new Set(others).size).toBe(others.length)
})

test('nodes have the names that every learner sees, and addresses of their own network', () => {
  const nodes = planNodes('labernetes-ab-cd', shapeOf({ nodes: 3 }, images, []), subnetOf('10.201.3.16/28').addressOf)
  expect(nodes).toEqual([
    { name: 'labernetes-control-plane', role: 'control-plane', container: 'labernetes-ab-cd-control-plane', ip: '10.201.3.18' },
    { name: 'labernetes-worker', role: 'worker', container: 'labernetes-ab-cd-worker', ip: '10.201.3.19' },
    { name: 'labernetes-worker2', role: 'worker', container: 'labernetes-ab-cd-worker2', ip: '10.201.3.20' },
  ])
  expect(findNode(nodes, 'worker')?.name).toBe('labernetes-worker')
  expect(findNode(nodes, 'labernetes-worker2')?.name).toBe('labernetes-worker2')
  expect(findNode(nodes, 'orker2')).toBeUndefined()
})

test.each([
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['nginx', 'docker.io/library/nginx:latest'],
  ['kindest/node:v1', 'docker.io/kindest/node:v1'],
  ['ghcr.io/flannel-io/flannel:v0.28.4', 'ghcr.io/flannel-io/flannel:v0.28.4'],
  ['localhost:5000/a', 'localhost:5000/a:latest'],
])('containerd calls %s %s', (given, full) => expect(familiar(given)).toBe(full))
