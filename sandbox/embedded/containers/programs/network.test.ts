import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClusterIdentity } from '../../auth/certificates.ts'
import { Cluster } from '../../cluster.ts'
import type { Pod, Service } from '../../schema/types/core.v1.ts'

/**
 * Network programs in a whole cluster. What they print and return is what busybox' own do in a pod of a kind cluster with
 * the same objects.
 */
const errors: unknown[] = []
let cluster: Cluster
let ips: { web: string; client: string; service: string; node: string; udp: string }

beforeAll(async () => {
  cluster = await Cluster.open({
    nodes: 1,
    clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 },
    report: (where, error) => errors.push([where, error]),
  })
  await cluster.advance(30_000)
  await create('pods', 'client', { containers: [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '100000'] }] })
  await create('pods', 'web', { hostname: 'web-0', subdomain: 'headless', containers: [{ name: 'c', image: 'nginx:1.27' }] })
  await create('pods', 'curl', { containers: [{ name: 'c', image: 'curlimages/curl:8.9.1', command: ['sleep', '100000'] }] })
  const tools = [{ name: 'c', image: 'registry.k8s.io/e2e-test-images/agnhost:2.56' }]
  await create('pods', 'tool', { hostname: 'tool-0', subdomain: 'tools', containers: tools })
  const netexec = [{ name: 'c', image: 'registry.k8s.io/e2e-test-images/agnhost:2.56', args: ['netexec', '--udp-port=8081'] }]
  await create('pods', 'udp', { containers: netexec })
  const unready = { exec: { command: ['false'] } }
  await create('pods', 'unready', { containers: [{ name: 'c', image: 'nginx:1.27', readinessProbe: unready }] })
  const selector = { app: 'web' }
  await create('services', 'web', { selector, type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 31777 }] })
  await create('services', 'headless', { selector, clusterIP: 'None', ports: [{ name: 'http', port: 80 }] })
  await create('services', 'none', { selector: { app: 'nothing' }, ports: [{ port: 80 }] })
  await create('services', 'unready', { selector: { app: 'unready' }, ports: [{ port: 80 }] })
  await create('services', 'wrongport', { selector, ports: [{ port: 80, targetPort: 8080 }] })
  await create('services', 'alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' })
  await create('services', 'gone', { type: 'ExternalName', externalName: 'nowhere.example.invalid' })
  await cluster.advance(30_000)
  const web = (await object<Pod>('pods/web')).status
  ips = {
    web: web?.podIP ?? '',
    client: (await object<Pod>('pods/client')).status?.podIP ?? '',
    service: (await object<Service>('services/web')).spec?.clusterIP ?? '',
    node: web?.hostIP ?? '',
    udp: (await object<Pod>('pods/udp')).status?.podIP ?? '',
  }
})
afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

describe('nc', () => {
  test('finds the name server at its port, over UDP and over TCP, which answers questions alone', async () => {
    expect(await run('nc -z -w 2 10.96.0.10 53')).toMatchObject({ code: 0 })
    expect(await run('nc -zu -w 2 10.96.0.10 53')).toMatchObject({ code: 0 })
    expect(await run('echo nonsense | nc -u -w 1 10.96.0.10 53')).toEqual({ code: 0, stdout: '', stderr: '' })
    const question = String.raw`\0\7\1\0\0\1\0\0\0\0\0\0\012kubernetes\7default\3svc\7cluster\5local\0\0\1\0\1`
    const { stdout } = await run(`printf '${question}' | nc -u -w 1 10.96.0.10 53 | tail -c 4 | od -An -tu1`)
    expect(stdout.trim().split(/ +/)).toEqual(['10', '96', '0', '1'])
  })

  test('what is lost on its way over UDP is no error', async () => {
    expect(await run('echo hello | nc -u -w 1 10.244.99.9 9999')).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

describe('curl', () => {
  const curl = (args: string) => run(`curl -sS ${args}`, 'curl')

  test('gives up a server that does not answer, or not whole, and says what it has received', async () => {
    const part = "printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nabc'; sleep 100"
    await run(`(timeout 60 nc -l -p 7001 -e sleep 100 &); (timeout 60 nc -l -p 7002 -e sh -c "${part}" &); sleep 1`)
    const silent = await curl(`-m 1 -w '%{http_code} %{exitcode} %{errormsg}\\n' http://${ips.client}:7001/`)
    const why = 'Operation timed out after 1000 milliseconds with 0 bytes received'
    expect(silent).toEqual({ code: 28, stdout: `000 28 ${why}\n`, stderr: `curl: (28) ${why}\n` })
    expect(await curl(`-m 1 -w ' %{http_code} %{size_download}\\n' http://${ips.client}:7002/`)).toEqual({
      code: 28,
      stdout: 'abc 200 3\n',
      stderr: 'curl: (28) Operation timed out after 1000 milliseconds with 3 out of 100 bytes received\n',
    })
  })

  test('tells one that is not to be connected from one that does not answer', async () => {
    expect((await curl('-m 1 http://10.244.99.9/')).stderr).toBe('curl: (28) Connection timed out after 1000 milliseconds\n')
    const refused = 'curl: (28) Failed to connect to 10.244.99.9 port 80 after 1000 ms: Timeout was reached\n'
    expect((await curl('--connect-timeout 1 http://10.244.99.9/')).stderr).toBe(refused)
  })
})

describe('wget', () => {
  test.each(['http://web/', 'http://headless/', 'http://web-0.headless/', 'http://alias/', 'http://NODE:31777/', 'web:80'])(
    'reaches the web server at %s',
    async (url) => expect(await run(`wget -qO- ${url} | grep -c Welcome`)).toEqual({ code: 0, stdout: '2\n', stderr: '' }),
  )

  test.each(['none', 'unready', 'wrongport'])('is refused by a Service without a listening endpoint: %s', async (name) => {
    const ip = (await object<Service>(`services/${name}`)).spec?.clusterIP
    const stderr = `wget: can't connect to remote host (${ip}): Connection refused\n`
    expect(await run(`wget -qO- -T 3 http://${name}/`)).toEqual({ code: 1, stdout: '', stderr })
  })

  test.each([
    ['http://nosuch/', "wget: bad address 'nosuch'"],
    ['http://gone/', "wget: bad address 'gone'"],
    ['http://web:81/', "wget: can't connect to remote host (SERVICE): Connection refused"],
    ['http://WEB:81/', "wget: can't connect to remote host (WEB): Connection refused"],
    ['http://localhost:8080/', "wget: can't connect to remote host (127.0.0.1): Connection refused"],
    ['http://10.244.0.250/', 'wget: download timed out'],
    ['http://172.18.0.77/', 'wget: download timed out'],
    ['http://web/missing', 'wget: server returned error: HTTP/1.1 404 Not Found'],
    ['--post-data a=1 http://web/', 'wget: server returned error: HTTP/1.1 405 Not Allowed'],
    ['http://web:notaport/', "wget: bad port 'notaport'"],
    ['http://', "wget: bad address ''"],
  ])('-qO- -T 2 %s says %s', async (args, stderr) => {
    expect(await run(`wget -qO- -T 2 ${args}`)).toEqual({ code: 1, stdout: '', stderr: `${stderr}\n` })
  })

  test('tells what it does unless it is to be quiet', async () => {
    const bar = `${'page'.padEnd(20)} 100% |********************************|   213  0:00:00 ETA\n`
    const stderr = `Connecting to web (SERVICE:80)\nsaving to '/tmp/page'\n${bar}'/tmp/page' saved\n`
    expect(await run('wget -O /tmp/page http://web/')).toEqual({ code: 0, stdout: '', stderr })
  })
})

describe('nslookup', () => {
  const head = 'Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n'
  const unknown = (name: string) => `** server can't find ${name}: NXDOMAIN\n\n`

  test('shows the address of a full name', async () => {
    const stdout = `${head}Name:\tweb.default.svc.cluster.local\nAddress: SERVICE\n\n\n`
    expect(await run('nslookup web.default.svc.cluster.local')).toEqual({ code: 0, stdout, stderr: '' })
  })

  test('asks in every domain of the search list for a name without a dot, and fails for those that do not know it', async () => {
    const { code, stdout } = await run('nslookup web')
    expect(code).toBe(1)
    expect(stdout).toContain('Name:\tweb.default.svc.cluster.local\nAddress: SERVICE\n')
    expect(stdout.match(/NXDOMAIN/g)).toHaveLength(4)
  })

  test('takes a name with a dot as it is', async () => {
    expect(await run('nslookup kubernetes.default')).toEqual({
      code: 1,
      stdout: head + unknown('kubernetes.default').repeat(2),
      stderr: '',
    })
  })

  test.each([
    ['headless.default.svc.cluster.local', 'Name:\theadless.default.svc.cluster.local\nAddress: WEB\n\n\n'],
    ['web-0.headless.default.svc.cluster.local', 'Name:\tweb-0.headless.default.svc.cluster.local\nAddress: WEB\n\n\n'],
    [
      'alias.default.svc.cluster.local',
      'alias.default.svc.cluster.local\tcanonical name = web.default.svc.cluster.local\nName:\tweb.default.svc.cluster.local\nAddress: SERVICE\n\n\n',
    ],
    ['gone.default.svc.cluster.local', 'gone.default.svc.cluster.local\tcanonical name = nowhere.example.invalid\n\n'.repeat(2)],
    [
      '-type=srv _http._tcp.headless.default.svc.cluster.local',
      '_http._tcp.headless.default.svc.cluster.local\tservice = 0 100 80 web-0.headless.default.svc.cluster.local\n\n',
    ],
  ])('%s', async (args, stdout) => {
    expect(await run(`nslookup ${args}`)).toEqual({ code: 0, stdout: head + stdout, stderr: '' })
  })

  test('gives up on a server that is not there', async () => {
    const stdout = ';; connection timed out; no servers could be reached\n\n'
    expect(await run('nslookup web.default.svc.cluster.local 10.244.0.250')).toEqual({ code: 1, stdout, stderr: '' })
  })
})

describe('nc', () => {
  test.each(["printf 'GET / HTTP/1.0\\r\\nHost: web\\r\\n\\r\\n'", "printf 'GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n'"])(
    'that has sent %s gets the answer after the end of its input',
    async (request) => {
      const { stdout } = await run(`${request} | nc web 80`)
      expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\nServer: nginx/)
      expect(stdout.match(/content-length/gi)).toHaveLength(1)
      expect(stdout).toContain('Welcome to nginx!')
    },
  )

  test.each([
    ['-zv web 80', 0, 'web (SERVICE:80) open'],
    ['-w 2 web 81', 1, 'nc: web (SERVICE:81): Connection refused'],
    ['-w 2 10.244.0.250 80', 1, 'nc: 10.244.0.250 (10.244.0.250:80): Connection timed out'],
    ['-w 2 nosuch 80', 1, "nc: bad address 'nosuch'"],
  ])('%s', async (args, code, stderr) => {
    expect(await run(`nc ${args} </dev/null`)).toEqual({ code, stdout: '', stderr: `${stderr}\n` })
  })

  test('serves one connection, or with -k one after the other', async () => {
    expect((await run('(echo hello | nc -l -p 7002 &); sleep 1; nc -w 2 127.0.0.1 7002 </dev/null')).stdout).toBe('hello\n')
    const twice = 'nc -lk -p 7003 -e echo answer & sleep 1; nc 127.0.0.1 7003 </dev/null; nc CLIENT 7003 </dev/null; kill $!'
    expect((await run(twice)).stdout).toBe('answer\nanswer\n')
  })
})

describe('ping', () => {
  test.each([
    ['WEB', 63],
    ['headless', 63],
    ['CLIENT', 64],
    ['NODE', 64],
    ['localhost', 64],
  ])('%s answers with TTL %i', async (target, ttl) => {
    const { code, stdout } = await run(`ping -c 1 ${target}`)
    expect(code).toBe(0)
    expect(stdout).toContain(` seq=0 ttl=${ttl} time=`)
    expect(stdout).toContain('1 packets transmitted, 1 packets received, 0% packet loss\nround-trip min/avg/max = ')
  })

  test.each(['SERVICE', 'web', 'alias', '10.244.0.250', '172.18.0.77'])('%s does not answer', async (target) => {
    const { code, stdout } = await run(`ping -c 2 -W 1 ${target}`)
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^PING .* 56 data bytes\n\n--- .* ping statistics ---\n2 packets transmitted, 0 packets received, 100% packet loss\n$/,
    )
  })

  test('knows no unknown name', async () => {
    expect(await run('ping -c 1 nosuch')).toEqual({ code: 1, stdout: '', stderr: "ping: bad address 'nosuch'\n" })
  })
})

test('a server on the loopback address is reached from its own pod by that address only', async () => {
  const listening = 'tcp        0      0 127.0.0.1:8081          0.0.0.0:*               LISTEN'
  const started = await run('httpd -p 127.0.0.1:8081 -h /tmp; netstat -tln; echo hi > /tmp/page; wget -qO- http://127.0.0.1:8081/page')
  expect(started.stdout).toContain(listening)
  expect(started.stdout).toMatch(/hi\n$/)
  const refused = { code: 1, stdout: '', stderr: "wget: can't connect to remote host (CLIENT): Connection refused\n" }
  expect(await run('wget -qO- http://CLIENT:8081/page')).toEqual(refused)
  await run('killall httpd')
})

test('netstat, ip and route show a pod as kind lays it out', async () => {
  const listening = 'tcp        0      0 :::8082                 :::*                    LISTEN'
  expect((await run('httpd -p 8082 -h /tmp; netstat -tln; killall httpd')).stdout).toContain(listening)
  expect((await run('ip route')).stdout).toBe(
    'default via 10.244.0.1 dev eth0 \n10.244.0.0/24 via 10.244.0.1 dev eth0  src CLIENT \n10.244.0.1 dev eth0 scope link  src CLIENT \n',
  )
  expect((await run('ip addr show eth0')).stdout).toContain('    inet CLIENT/24 brd 10.244.0.255 scope global eth0\n')
})

describe('TLS', () => {
  const account = '/var/run/secrets/kubernetes.io/serviceaccount'
  const curl = (args: string) => run(`curl -sS ${args}`, 'curl')

  test("a pod asks the API server with its ServiceAccount's token and the cluster's authority", async () => {
    const asked = `--cacert ${account}/ca.crt -H "Authorization: Bearer $(cat ${account}/token)"`
    const { code, stdout } = await curl(`${asked} https://kubernetes.default.svc/api/v1/namespaces/default/pods`)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'Status',
      code: 403,
      message: expect.stringContaining('User "system:serviceaccount:default:default" cannot list resource "pods"'),
    })
    expect((await curl(`${asked} https://kubernetes.default.svc/version`)).stdout).toContain('"gitVersion": "v1.34')
    // who checks tokens is sent to the address that the API server says is its own
    const published = `curl -sS ${asked} https://kubernetes.default.svc/.well-known/openid-configuration`
    expect((await run(published, 'curl')).stdout).toContain('"jwks_uri":"https://NODE:6443/openid/v1/jwks"')
    expect(await curl(`${asked} https://NODE:6443/openid/v1/jwks`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"alg":"ES256"'),
    })
    expect((await curl(`-k -o /dev/null -w '%{http_code}' https://10.96.0.1/api`)).stdout).toBe('403')
    expect(await run('wget --no-check-certificate -qO- https://kubernetes.default.svc/healthz')).toEqual({
      code: 0,
      stdout: 'ok',
      stderr: '',
    })
  })

  test('the API server tells a pod that speaks plain HTTP what is wrong', async () => {
    const told = 'Client sent an HTTP request to an HTTPS server.\n'
    expect(await curl('http://kubernetes.default.svc:443/')).toMatchObject({ code: 0, stdout: told })
    const bytes = await run("printf 'GET / HTTP/1.1\\r\\n\\r\\n' | nc kubernetes.default.svc 443")
    expect(bytes.stdout).toBe(`HTTP/1.0 400 Bad Request\r\n\r\n${told}`)
  })

  test('a server that nobody vouches for is refused, and so is one under another name', async () => {
    const unknown = await curl('https://kubernetes.default.svc/version')
    expect(unknown.code).toBe(60)
    expect(unknown.stderr).toMatch(/^curl: \(60\) SSL certificate problem: /)
    const other = await curl(`--cacert ${account}/ca.crt https://web/`)
    expect(other).toMatchObject({ code: 7, stderr: expect.stringContaining('Failed to connect to web port 443') })
    const plain = await curl('-k https://web:80/')
    expect(plain).toMatchObject({ code: 35, stderr: expect.stringContaining('wrong version number') })
    const missing = await curl('--cacert /nowhere https://web/')
    expect(missing).toMatchObject({ code: 77, stderr: expect.stringContaining('CAfile: /nowhere') })
  })

  test('nginx serves a certificate from a Secret, and an HTTPS probe finds it ready', async () => {
    const { certificate, key } = new ClusterIdentity(cluster.context.records, cluster.clock).server()
    const encoded = (text: string) => Buffer.from(text).toString('base64')
    const config =
      'server { listen 443 ssl; ssl_certificate /tls/tls.crt; ssl_certificate_key /tls/tls.key; location / { return 200 secure; } }'
    for (const [resource, body] of [
      ['secrets', { kind: 'Secret', type: 'kubernetes.io/tls', data: { 'tls.crt': encoded(certificate), 'tls.key': encoded(key) } }],
      ['configmaps', { kind: 'ConfigMap', data: { 'default.conf': config } }],
    ] as const) {
      const path = `/api/v1/namespaces/default/${resource}`
      const made = await cluster.request({ method: 'POST', path, body: { apiVersion: 'v1', metadata: { name: 'secure' }, ...body } })
      expect(made).toMatchObject({ status: 201 })
    }
    const volumes = [
      { name: 'tls', secret: { secretName: 'secure' } },
      { name: 'config', configMap: { name: 'secure' } },
    ]
    const volumeMounts = [
      { name: 'tls', mountPath: '/tls' },
      { name: 'config', mountPath: '/etc/nginx/conf.d' },
    ]
    const readinessProbe = { httpGet: { path: '/', port: 443, scheme: 'HTTPS' }, periodSeconds: 1 }
    const container = { name: 'c', image: 'nginx:1.27', volumeMounts, readinessProbe }
    await create('pods', 'secure', { volumes, containers: [container] })
    const plain = { ...readinessProbe, httpGet: { path: '/', port: 80, scheme: 'HTTPS' } }
    await create('pods', 'plain', { containers: [{ name: 'c', image: 'nginx:1.27', readinessProbe: plain }] })
    await create('services', 'secure', { selector: { app: 'secure' }, ports: [{ port: 443 }] })
    await cluster.advance(10_000)
    const ready = async (name: string) => (await object<Pod>(`pods/${name}`)).status?.containerStatuses?.[0]?.ready
    expect([await ready('secure'), await ready('plain')]).toEqual([true, false])
    expect((await curl('-k https://secure/')).stdout).toBe('secure')
    const named = await curl(`--cacert ${account}/ca.crt https://secure/`)
    expect(named.stderr).toContain("SSL: no alternative certificate subject name matches target host name 'secure'")
    expect((await curl('http://secure:443/')).stdout).toContain('The plain HTTP request was sent to HTTPS port')
    const events = await cluster.request({ method: 'GET', path: '/api/v1/namespaces/default/events' })
    const messages = (events.body as { items: { message: string; involvedObject: { name: string } }[] }).items
    const unhealthy = messages.find(({ message, involvedObject }) => involvedObject.name === 'plain' && message.startsWith('Readiness'))
    expect(unhealthy?.message).toMatch(/: http: server gave HTTP response to HTTPS client$/)
  })
})

describe('dig and getent', () => {
  test.each([
    ['dig +noall +answer +search web A', 'web.default.svc.cluster.local.\t30\tIN\tA\tSERVICE\n'],
    ['dig +short alias.default.svc.cluster.local CNAME', 'web.default.svc.cluster.local.\n'],
    ['dig +tcp +short _http._tcp.web.default.svc.cluster.local SRV', '0 100 80 web.default.svc.cluster.local.\n'],
    ['dig +short -x SERVICE', 'web.default.svc.cluster.local.\n'],
    ['dig +noall +answer +search nothing', ''],
    ['dig +short web', ''],
    ['getent hosts tool-0', 'OWN tool-0.tools.default.svc.cluster.local tool-0\n'],
    ['getent hosts web', `SERVICE web.default.svc.cluster.local\n`],
  ])('%s', async (line, expected) => {
    const { stdout } = await run(line, 'tool')
    const own = (await object<Pod>('pods/tool')).status?.podIP ?? ''
    expect(stdout.replace(/ {2,}/g, ' ')).toBe(expected.replace('OWN', own))
  })

  test('nc ends when nothing has come or gone for as long as -w says', async () => {
    const started = cluster.context.clock.now()
    expect((await run('echo hostname | nc -u -w 5 UDP 8081', 'tool')).stdout).toBe('udp')
    expect(cluster.context.clock.now() - started).toBeLessThan(8000)
  })

  test('curl gives a connection up that nobody answers', async () => {
    const { code, stderr } = await run('curl -sS --connect-timeout 2 http://10.244.0.250/', 'tool')
    expect([code, stderr]).toEqual([28, expect.stringMatching(/^curl: \(28\) .* after 2\d\d\d ms/)])
  })
})

/** Runs a line of shell in the client; addresses of the cluster stand as words in it and in what it prints. */
async function run(line: string, pod = 'client'): Promise<{ code: number; stdout: string; stderr: string }> {
  const words: [string, string][] = [
    ['WEB', ips.web],
    ['CLIENT', ips.client],
    ['SERVICE', ips.service],
    ['NODE', ips.node],
    ['UDP', ips.udp],
  ]
  const command = ['sh', '-c', words.reduce((text, [word, ip]) => text.replaceAll(word, ip), line)]
  const process = await cluster.nodeApi.exec('default', pod, { command, stdin: false, stdout: true, stderr: true, tty: false })
  const output = { stdout: '', stderr: '' }
  process.onOutput((stream, data) => {
    output[stream] += Buffer.from(data).toString()
  })
  let code: number | undefined
  void process.exited.then((exit) => {
    code = exit.exitCode
  })
  for (let step = 0; code === undefined && step < 100; step++) await cluster.advance(step < 20 ? 50 : 1000)
  if (code === undefined) throw new Error(`${line} does not end`)
  const plain = (text: string) =>
    words.reduce((rest, [word, ip]) => rest.replaceAll(new RegExp(`\\b${ip.replaceAll('.', '\\.')}\\b`, 'g'), word), text)
  return { code, stdout: plain(output.stdout), stderr: plain(output.stderr) }
}

async function create(resource: 'pods' | 'services', name: string, spec: object): Promise<void> {
  const kind = resource === 'pods' ? 'Pod' : 'Service'
  const body = { apiVersion: 'v1', kind, metadata: { name, labels: { app: name } }, spec }
  expect(await cluster.request({ method: 'POST', path: `/api/v1/namespaces/default/${resource}`, body })).toMatchObject({ status: 201 })
}

async function object<T>(path: string): Promise<T> {
  return (await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/${path}` })).body as T
}
