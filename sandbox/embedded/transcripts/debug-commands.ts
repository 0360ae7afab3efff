import type { Group } from './run.ts'
import * as files from './verb-manifests.ts'
import { until } from './waiting.ts'

const node = '$(kubectl get nodes -o name)'

/** `kubectl debug`, of Pods and of nodes. */
export const debugGroups: readonly Group[] = [
  {
    name: 'debug',
    files: { 'talk.yaml': files.talk, 'custom.yaml': files.customContainer },
    steps: [
      { settle: 'kubectl apply -f talk.yaml && kubectl wait --for=condition=Ready pod/talk --timeout=60s' },
      'kubectl debug',
      'kubectl debug none --image=busybox:1.36',
      'kubectl debug talk',
      'kubectl debug talk --image="Bad Image"',
      'kubectl debug talk --image=busybox:1.36 --share-processes=false',
      'kubectl debug talk --image=busybox:1.36 --set-image=main=busybox:1.36',
      'kubectl debug talk --image=busybox:1.36 --profile=weird',
      'kubectl debug talk --image=busybox:1.36 --target=none -c lost -- true',
      'kubectl debug talk --image=busybox:1.36 -c main -- true',
      'kubectl debug talk --image=busybox:1.36 -c Bad_Name -- true',
      'kubectl debug talk --image=busybox:1.36 -- sh -c "echo hello"',
      'kubectl debug talk --image=busybox:1.36 -c tool --target=main --profile=general -- sh -c "sleep 1; ps -o args | grep sleep.360 | grep -v grep"',
      'kubectl debug talk --image=busybox:1.36 -c tool -- true',
      {
        settle:
          'kubectl wait pod/talk --for=jsonpath=\'{.status.ephemeralContainerStatuses[?(@.name=="tool")].state.terminated.reason}\'=Completed --timeout=30s',
      },
      'kubectl logs talk -c tool',
      'kubectl debug talk --image=busybox:1.36 -c strict --profile=restricted --env=A=1 --image-pull-policy=IfNotPresent -- true',
      'kubectl debug talk --image=busybox:1.36 -c shaped --custom=custom.yaml --profile=baseline -- true',
      'kubectl debug talk --image=busybox:1.36 -c net --profile=netadmin --arguments-only -- true',
      'kubectl debug talk --image=busybox:1.36 -c all --profile=sysadmin --attach=true -q -- sh -c "echo attached"',
      `kubectl get pod talk -o jsonpath='{range .spec.ephemeralContainers[1:]}{.name} {.targetContainerName} {.securityContext} {.command} {.args} {.env} {.imagePullPolicy}{"\\n"}{end}'`,
      {
        settle: until(
          `kubectl get pod talk -o jsonpath='{range .status.ephemeralContainerStatuses[*]}{.name} {.state.terminated.reason}{.state.waiting.reason}{"\\n"}{end}' | grep -c -e Completed -e CreateContainerConfigError | grep -q 5`,
        ),
      },
      "kubectl describe pod talk | sed -n '/^Ephemeral/,/^Conditions/p' | grep -v -e Started -e Finished | tail -n +16",
      'kubectl get pod talk',
      'kubectl get events --field-selector involvedObject.name=talk -o jsonpath=\'{range .items[*]}{.reason}: {.involvedObject.fieldPath}{"\\n"}{end}\' | grep tool | sort',
      `kubectl patch pod talk -p '{"spec":{"ephemeralContainers":[{"name":"x","image":"busybox:1.36"}]}}'`,
      `kubectl patch pod talk --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"x","image":"busybox:1.36","ports":[{"containerPort":1}],"resources":{"limits":{"cpu":"1"}}}]}}'`,
      `kubectl patch pod talk --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"tool","image":"busybox:1.35"}]}}' 2>&1 | head -1`,
      `kubectl patch pod talk --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"tool","$patch":"delete"}]}}' 2>&1 | head -1`,
      'kubectl exec talk -c tool -- true',
      'kubectl debug talk --image=busybox:1.36 --copy-to=talk',
      'kubectl debug talk --copy-to=same-image',
      'kubectl debug talk --copy-to=copy-1 --set-image=*=busybox:1.36,side=nginx:1.27',
      'kubectl debug talk --copy-to=copy-2 --image=busybox:1.36 -c extra --share-processes --same-node --keep-labels --keep-annotations --keep-liveness --keep-readiness -- sleep 50',
      'kubectl debug talk --copy-to=copy-3 -c main --keep-init-containers=false -i -- sh -c "echo instead; exit 0" | head -1',
      'kubectl debug talk --copy-to=copy-4 --set-image=none=busybox:1.36',
      'kubectl debug talk --copy-to=copy-5 --image=busybox:1.36 -c side',
      `kubectl get pods -l app=talk -o name`,
      `kubectl get pod copy-1 -o jsonpath='{.metadata.labels} {.metadata.annotations} {.spec.shareProcessNamespace} {.spec.initContainers[*].name} {.spec.containers[*].image} {.spec.containers[*].livenessProbe}{.spec.containers[*].readinessProbe}'`,
      `kubectl get pod copy-2 -o jsonpath='{.metadata.annotations} {.spec.shareProcessNamespace} {.spec.containers[*].name} {.spec.containers[*].readinessProbe.exec}'`,
      { settle: 'kubectl wait --for=condition=Ready pod/copy-2 --timeout=60s' },
      'kubectl exec copy-2 -c extra -- sh -c "ps -o args | grep sleep | grep -v grep | sort"',
      'kubectl debug talk --copy-to=copy-6 --image=busybox:1.36 -c extra --replace -- sleep 50',
      { settle: 'kubectl wait --for=delete pod/talk --timeout=60s' },
      'kubectl get pod talk',
      'kubectl delete pods --all --now',
    ],
  },
  {
    name: 'debug-node',
    steps: [
      'kubectl debug node/none --image=busybox:1.36',
      `kubectl debug ${node}`,
      `kubectl debug ${node} --image=busybox:1.36 -- sleep 30`,
      `kubectl debug ${node} --image=busybox:1.36 -i -q -- sh -c "ls -d /host/etc/kubernetes /host/var/lib/kubelet; hostname"`,
      `kubectl debug ${node} --image=busybox:1.36 --profile=sysadmin -q -- true`,
      `kubectl debug ${node} --image=busybox:1.36 --profile=restricted -q -- true`,
      `kubectl debug ${node} --image=busybox:1.36 --profile=netadmin -q -- true`,
      `kubectl debug ${node} --image=busybox:1.36 --copy-to=x`,
      `kubectl debug ${node} --image=busybox:1.36 --target=x`,
      `kubectl get pods --sort-by=.metadata.creationTimestamp -o jsonpath='{range .items[*]}{.spec.hostNetwork} {.spec.hostPID} {.spec.hostIPC} {.spec.restartPolicy} {.spec.tolerations[0]} {.spec.containers[0].securityContext} {.spec.containers[0].volumeMounts[0].mountPath} {.spec.volumes[0]} {.metadata.labels}{"\\n"}{end}' | sort`,
      'kubectl delete pods --all --now | sed -E "s/-[a-z0-9]{5}\\"/-x\\"/"',
    ],
  },
]
