import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Sandbox } from '../../engine.ts'
import { prepareTools } from '../../terminal/tools.ts'
import { selfSigned } from '../auth/certificates.ts'
import { EmbeddedEngine } from './engine.ts'

const [control, worker] = ['172.18.0.2', '172.18.0.3']
const { certificate, key } = selfSigned({ dnsNames: ['shop.example.com'] }, Date.now() - 60_000, Date.now() + 86_400_000)
const indented = (pem: string) => pem.trim().replaceAll('\n', '\n    ')
const server = (name: string, service: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: 1
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      nodeName: labernetes-worker
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: 'traefik/whoami:v1.10', args: [--name=${name}], ports: [{containerPort: 80, hostPort: 8099}]}]
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{port: 80}], ${service}}
---`
const manifests = `${server('web', 'type: NodePort, ports: [{port: 80, nodePort: 30080}]').replace(', ports: [{port: 80}]', '')}
apiVersion: v1
kind: Service
metadata: {name: local}
spec: {selector: {app: web}, type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80, nodePort: 30081}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, type: NodePort, ports: [{port: 80, nodePort: 30082}]}
---
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec: {selector: {app: web}, type: LoadBalancer, loadBalancerClass: labernetes.io/gateway, ports: [{port: 8080, targetPort: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ${indented(certificate)}
  tls.key: |
    ${indented(key)}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [shop.example.com], secretName: shop}]
  rules: [{host: shop.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate}
spec: {gatewayClassName: labernetes, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all}
spec: {parentRefs: [{name: gate}], rules: [{backendRefs: [{name: web, port: 80}]}]}
`

describe.each(['bubblewrap', 'unshare'] as const)(
  "a cluster's addresses from a shell walled off by %s",
  (jail) => {
    const folder = mkdtempSync(join(tmpdir(), 'addresses-'))
    const faults: string[] = []
    let engine: EmbeddedEngine
    let sandbox: Sandbox
    const sh = (script: string, box = sandbox) => box.exec(['bash', '-c', script], { timeout: 30_000 })
    const curl = async (...args: string[]) => sh(`curl -sS --max-time 6 ${args.join(' ')}`)
    const field = async (path: string) => (await sh(`kubectl get ${path}`)).stdout
    const settled = { timeout: 40_000, interval: 200 }
    const who = async (...args: string[]) => /^Name: (\w+)/m.exec((await curl(...args)).stdout)?.[1]

    beforeAll(async () => {
      const { folder: tools } = await prepareTools(join(import.meta.dirname, '../../../.cache'))
      const dir = join(folder, 'sandboxes')
      engine = await EmbeddedEngine.start({ dir, tools, processes: 1, allowNoJail: false, jail, onFault: (fault) => faults.push(fault) })
      sandbox = await engine.create({ id: 'reached', nodes: 2, shape: { addons: ['gateway'] }, manifests }, () => undefined)
      await sandbox.exec(['kubectl', 'rollout', 'status', 'deployment/web', '--timeout=60s'], { timeout: 60_000 })
    }, 120_000)

    afterAll(async () => {
      await engine[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
      expect(faults).toEqual([])
    })

    test('a NodePort answers at every node, for every client', async () => {
      for (const node of [control, worker]) await vi.waitFor(async () => expect(await who(`http://${node}:30080`)).toBe('web'), settled)
      expect((await sh(`wget -qO- http://${worker}:30080/path | head -1`)).stdout).toBe('Name: web\n')
      const raw = `printf 'GET /raw HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`
      expect((await sh(`exec 3<>/dev/tcp/${worker}/30080; ${raw}`)).stdout).toContain('GET /raw HTTP/1.')
      expect((await curl(`http://${worker}:8099`)).stdout).toContain('Name: web')
    })

    test('a port that nobody has is refused, one without endpoints too, and a local Service on another node is silent', async () => {
      expect((await curl(`http://${worker}:30099`)).exitCode).toBe(7)
      expect((await curl(`http://${worker}:30082`)).exitCode).toBe(7)
      expect(await who(`http://${worker}:30081`)).toBe('web')
      expect(await curl('--connect-timeout 1', `http://${control}:30081`)).toMatchObject({ exitCode: 28 })
      expect((await curl('--connect-timeout 5', 'http://172.18.0.77')).stderr).toMatch(/No route to host|Couldn't connect/)
    })

    test("load balancers' addresses answer: a Service's, the Ingress', with TLS too, a Gateway's", async () => {
      const ip = "-o jsonpath='{.status.loadBalancer.ingress[0].ip}'"
      const seen = async (path: string) =>
        vi.waitFor(async () => expect(await field(path)).toMatch(/^172\.18\.255\./), settled).then(() => field(path))
      const balanced = await seen(`service balanced ${ip}`)
      await vi.waitFor(async () => expect(await who(`http://${balanced}:8080`)).toBe('web'), settled)
      const ingress = await seen(`ingress shop ${ip}`)
      await vi.waitFor(async () => expect(await who('-H "Host: shop.example.com"', `http://${ingress}/`)).toBe('web'), settled)
      const resolved = `--resolve shop.example.com:443:${ingress}`
      expect(await who('-k', resolved, 'https://shop.example.com/')).toBe('web')
      const shown = await sh(`echo | openssl s_client -connect ${ingress}:443 -servername shop.example.com 2>/dev/null | grep subject=`)
      expect(shown.stdout).toMatch(/CN ?= ?shop\.example\.com/)
      const gateway = await seen(`gateway gate -o jsonpath='{.status.addresses[0].value}'`)
      await vi.waitFor(async () => expect(await who(`http://${gateway}/`)).toBe('web'), settled)
      expect(await who('--http2-prior-knowledge', `http://${gateway}/`)).toBe('web')
    })

    test('the API server answers at its node', async () => {
      expect((await curl('-k', `https://${control}:6443/version`)).stdout).toContain('"gitVersion"')
    })

    test('what the cluster takes away is gone, and comes back', async () => {
      await sh('kubectl scale deployment web --replicas=0')
      await vi.waitFor(async () => expect((await curl('--max-time 1', `http://${worker}:30080`)).exitCode).toBe(7), settled)
      await sh('kubectl scale deployment web --replicas=1')
      await vi.waitFor(async () => expect(await who('--max-time 1', `http://${worker}:30080`)).toBe('web'), settled)
      const policy = '{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"none"},"spec":{"podSelector":{}}}'
      await sh(`echo '${policy}' | kubectl apply -f -`)
      await vi.waitFor(async () => expect((await curl('--max-time 2', `http://${control}:30080`)).exitCode).toBe(28), settled)
      await sh('kubectl delete networkpolicy none')
      await vi.waitFor(async () => expect(await who('--max-time 2', `http://${control}:30080`)).toBe('web'), settled)
      await sandbox.exec(['ip', 'link', 'set', 'eth0', 'down'], { node: 'worker' })
      await vi.waitFor(async () => expect((await sh('ip -o address')).stdout).not.toContain(`${worker}/32`), settled)
      await sandbox.exec(['ip', 'link', 'set', 'eth0', 'up'], { node: 'worker' })
      await vi.waitFor(async () => expect(await who('--max-time 1', `http://${worker}:30081`)).toBe('web'), settled)
    })

    test("neither Pods nor ClusterIPs are reached, nor anything of a neighbour's or of this machine", async () => {
      const pod = await field(`pod -l app=web -o jsonpath='{.items[0].status.podIP}'`)
      const cluster = await field(`service web -o jsonpath='{.spec.clusterIP}'`)
      for (const ip of [pod, cluster]) expect((await curl('--connect-timeout 4', `http://${ip}`)).exitCode).toBe(7)
      const neighbour = await engine.create({ id: 'neighbour', nodes: 2 }, () => undefined)
      await vi.waitFor(async () => expect((await sh(`curl -ksS https://${control}:6443/version`, neighbour)).exitCode).toBe(0), settled)
      expect((await sh(`curl -sS http://${worker}:30080`, neighbour)).exitCode).toBe(7)
      for (const attempt of ['ip link del br-kind', `ip addr add 172.18.0.9/32 dev lo`, 'ip rule del pref 10'])
        expect((await sh(attempt)).exitCode, attempt).not.toBe(0)
      await engine.destroy('neighbour')
    })

    test('more connections at once than the limit are reset', async () => {
      const many = `perl -MIO::Socket::INET -e 'my @open; for (1..160) { push @open, IO::Socket::INET->new(PeerAddr => "${worker}:30080") // die } sleep 1; my $reset = 0; for (@open) { $reset++ if !defined syswrite($_, "x") or !defined send($_, "x", 0) } print $reset'`
      const reset = Number((await sh(many)).stdout)
      expect(reset).toBeGreaterThanOrEqual(30)
      expect(reset).toBeLessThan(60)
      await vi.waitFor(async () => expect(await who(`http://${worker}:30080`)).toBe('web'), settled)
    })
  },
  120_000,
)
