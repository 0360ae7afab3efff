import { expect, test } from 'vitest'
import { controlPlaneManifests } from './control-plane.ts'
import recorded from './fixtures/kubeadm-manifests.json' with { type: 'json' }

test.each(Object.entries(recorded))("%s's manifest is what kubeadm 1.34.4 wrote on a kind node", (name, text) => {
  expect(controlPlaneManifests('real-control-plane', '172.18.0.2')[`${name}.yaml`]).toBe(text)
})
