import type { Group } from './run.ts'
import { said, serving, until } from './waiting.ts'

const nodeName = "$(kubectl get nodes -o jsonpath='{.items[0].metadata.name}')"

/** `kubectl proxy` with options, and what curl hears through it; `@` stands for its address. By a socket, which no other run has. */
function proxied(options: string, ...requests: string[]): string {
  const curl = 'curl -s --unix-socket ./proxy'
  const heard = requests.map((request) => `${curl} ${request.replaceAll('@', 'http://localhost')}`)
  const begin = `rm -f proxy; kubectl proxy --unix-socket=./proxy ${options} >/dev/null 2>&1`
  return `${begin} & ${until(`${curl} -o /dev/null http://localhost`)}; ${heard.join('; ')}; kill $!`
}

/** What the API server and kubectl carry to Pods, Services and nodes. */
export const proxyGroups: readonly Group[] = [
  {
    name: 'proxy',
    files: {
      'web.yaml':
        'apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  - name: nginx\n    image: nginx:1.27\n    ports:\n    - {name: http, containerPort: 80}\n',
      'page.html': '<h1>a page</h1>\n',
    },
    steps: [
      {
        settle:
          "kubectl apply -f web.yaml && kubectl wait --for=condition=Ready pod/web --timeout=60s && kubectl expose pod web --port=8080 --target-port=80 --name=front && kubectl create service clusterip empty --tcp=80 && kubectl wait endpoints/front --for=jsonpath='{.subsets[0].addresses[0].ip}' --timeout=30s",
      },
      'kubectl proxy --port=70000',
      'kubectl proxy --reject-paths="("',
      'kubectl proxy --unix-socket=a --port=1',
      `${serving('proxy --port=0')}; ${said}`,
      proxied(
        '',
        "'@/api/v1/namespaces/t-proxy/pods/web/proxy/' | grep -o '<title>.*</title>'",
        "'@/api/v1/namespaces/t-proxy/pods/web:80/proxy/' | grep -c '<title>'",
        "-o /dev/null -w '%{http_code}' '@/api/v1/namespaces/t-proxy/pods/web/proxy/none'",
      ),
      proxied(
        '',
        "'@/api/v1/namespaces/t-proxy/services/front/proxy/' | grep -c '<title>'",
        "'@/api/v1/namespaces/t-proxy/services/http:front:8080/proxy/' | grep -c '<title>'",
        "'@/api/v1/namespaces/t-proxy/services/front:9/proxy/'",
        "'@/api/v1/namespaces/t-proxy/services/empty/proxy/'",
        "'@/api/v1/namespaces/t-proxy/services/none/proxy/'",
      ),
      proxied(
        '',
        "'@/api/v1/namespaces/t-proxy/pods/none/proxy/'",
        "'@/api/v1/namespaces/t-proxy/pods/web:81/proxy/' | grep -o -e 'connection refused' -e '\"code\": *[0-9]*'",
        "-o /dev/null -w '%{http_code} %{redirect_url}' '@/api/v1/namespaces/t-proxy/pods/web/proxy'",
        "-X DELETE -o /dev/null -w '%{http_code}' '@/api/v1/namespaces/t-proxy/services/front/proxy/'",
      ),
      proxied(
        '',
        `"@/api/v1/nodes/${nodeName}/proxy/healthz"`,
        `"@/api/v1/nodes/${nodeName}:10250/proxy/pods" | grep -o '"kind":"PodList"'`,
        `"@/api/v1/nodes/${nodeName}/proxy/configz" | grep -o '"clusterDomain":"[a-z.]*"'`,
        `-o /dev/null -w '%{http_code}' "@/api/v1/nodes/${nodeName}/proxy/none"`,
        "'@/api/v1/nodes/none/proxy/healthz'",
      ),
      proxied(
        '',
        "-X POST '@/api/v1/namespaces/t-proxy/pods/web/exec?command=true'",
        "'@/api/v1/namespaces/t-proxy/pods/web/attach'",
        "-H 'Host: example.com' '@/version'",
        "-o /dev/null -w '%{http_code} %{content_type}' '@/version'",
      ),
      proxied(
        '--reject-methods=POST,DELETE --accept-paths="^/api/v1/.*"',
        "-X DELETE '@/api/v1/namespaces/t-proxy/pods/web'",
        "'@/apis'",
        '\'@/api/v1/namespaces/t-proxy/pods/web\' | grep \'"name": "web"\'',
      ),
      proxied(
        '--www=. --www-prefix=/files/ --api-prefix=/k8s/',
        "'@/files/page.html'",
        "'@/k8s/api/v1/namespaces/t-proxy' | grep '\"kind\"'",
        "-w '%{http_code}' '@/api/v1'",
      ),
      proxied(
        '',
        '-X POST -H \'Content-Type: application/json\' -d \'{"metadata":{"name":"posted"}}\' \'@/api/v1/namespaces/t-proxy/configmaps\' | grep -e \'"kind"\' -e \'"name"\'',
        '-X PATCH -H \'Content-Type: application/merge-patch+json\' -d \'{"data":{"a":"1"}}\' \'@/api/v1/namespaces/t-proxy/configmaps/posted\' | grep \'"a"\'',
        "-X PATCH -d '{}' -H 'Content-Type: text/plain' '@/api/v1/namespaces/t-proxy/configmaps/posted'",
        "-X DELETE '@/api/v1/namespaces/t-proxy/configmaps/posted'",
      ),
      proxied(
        '',
        "'@/api/v1/namespaces/t-proxy/pods/web/log?tailLines=x'",
        "'@/api/v1/namespaces/t-proxy/pods/web/log?container=none'",
        "'@/api/v1/namespaces/t-proxy/pods?limit=x' | grep message",
        "-H 'Accept: application/yaml' '@/api/v1/namespaces/t-proxy' | head -2",
        "-o /dev/null -w '%{http_code}' -H 'Accept: text/css' '@/api/v1/namespaces/t-proxy'",
      ),
      proxied(
        '--as=nobody',
        "'@/api/v1/namespaces/t-proxy/pods/web/proxy/' | grep message",
        `"@/api/v1/nodes/${nodeName}/proxy/healthz" | grep message`,
        "'@/api/v1/namespaces/t-proxy/services/front/proxy/' | grep message",
      ),
      proxied('', "'@/version' | grep '\"minor\"'"),
      'kubectl get --raw /api/v1/namespaces/t-proxy/services/front:8080/proxy/none 2>&1 | head -3',
      'kubectl port-forward pod/web 18112:none',
      'kubectl port-forward pod/web',
      'kubectl port-forward pod/none 18112:80',
      'kubectl port-forward service/empty 18112:80 --pod-running-timeout=1s',
      `${serving('port-forward pod/web :http --address=127.0.0.1')}; curl -s -o /dev/null -w "%{http_code}\\n" http://$address/; ${said}`,
    ],
  },
]
