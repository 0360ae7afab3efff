import { applyManifests } from '../../manifests.ts'
import { Cluster } from '../cluster.ts'

/** So often the whole way is gone: by then the compiler knows it, and more changes little. */
const rounds = 4
/** Before the first round: ms. */
const patience = 200
/** How long a round's Deployment gets to roll out: ms. */
const rollout = 400

/**
 * Opens clusters that nobody asked for, has each do what a first minute brings, and throws them away: a process's first
 * cluster took four times as long as its fifth, and that was the first learner's. Does not begin, or begin another round,
 * once the signal aborts. Never rejects; a fault is reported.
 */
export async function warmUp(report: (where: string, error: unknown) => void, signal: AbortSignal): Promise<void> {
  try {
    // somebody may be waiting for this process already
    await new Promise((resolve) => setTimeout(resolve, patience))
    for (let round = 0; round < rounds && !signal.aborted; round++) await live(report)
  } catch (error) {
    report('warming up', error)
  }
}

/** In memory alone: a process that ends meanwhile leaves nothing. */
async function live(report: (where: string, error: unknown) => void): Promise<void> {
  await using cluster = await Cluster.open({ nodes: 2, report })
  await cluster.listen({ host: '127.0.0.1', port: 0 })
  await applyManifests((request) => cluster.request(request), manifests)
  await new Promise((resolve) => setTimeout(resolve, rollout))
  await using fork = await cluster.fork()
  await fork.advance(1_000)
}

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: warm, labels: {app: warm}}
spec:
  replicas: 2
  selector: {matchLabels: {app: warm}}
  template:
    metadata: {labels: {app: warm}}
    spec:
      containers:
      - name: warm
        image: busybox:1.36
        command: [sh, -c, "while true; do sleep 1; done"]
        ports: [{name: http, containerPort: 80}]
        readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: warm}
spec: {selector: {app: warm}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: warm}
data: {key: value}
`
