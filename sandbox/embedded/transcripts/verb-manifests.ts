/** The files that the groups of verbs work on. */

export const talk = `apiVersion: v1
kind: Pod
metadata:
  name: talk
  labels:
    app: talk
  annotations:
    note: kept
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: prepare
    image: busybox:1.36
    command: ['true']
  containers:
  - name: main
    image: busybox:1.36
    command: [sleep, '3600']
    livenessProbe:
      exec:
        command: ['true']
    readinessProbe:
      exec:
        command: ['true']
      periodSeconds: 1
  - name: side
    image: busybox:1.36
    command: [sleep, '3601']
`

/** Part of a container that `kubectl debug --custom` adds to the one of the profile. */
export const customContainer = `env:
- name: EXTRA
  value: more
resources:
  limits:
    memory: 32Mi
`

/** A Pod that keeps local data, one of a DaemonSet, and one that nobody looks after. */
export const drained = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: local
spec:
  replicas: 1
  selector:
    matchLabels:
      app: local
  template:
    metadata:
      labels:
        app: local
        set: drained
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1.36
        command: [sleep, '3600']
        volumeMounts:
        - name: scratch
          mountPath: /scratch
      volumes:
      - name: scratch
        emptyDir: {}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agent
spec:
  selector:
    matchLabels:
      app: agent
  template:
    metadata:
      labels:
        app: agent
        set: drained
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1.36
        command: [sleep, '3600']
---
apiVersion: v1
kind: Pod
metadata:
  name: bare
  labels:
    app: bare
    set: drained
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1.36
    command: [sleep, '3600']
`

/** Lets nobody go: the Pod of the Deployment is the only one there is. */
export const budget = `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: stay
spec:
  minAvailable: 1
  selector:
    matchLabels:
      app: local
`

export const eviction = `apiVersion: policy/v1
kind: Eviction
metadata:
  name: bare
`

/** A StatefulSet and a DaemonSet whose Pods go at once. */
export const rolled = `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  serviceName: db
  replicas: 1
  selector:
    matchLabels:
      app: db
  template:
    metadata:
      labels:
        app: db
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1.36
        command: [sleep, '3600']
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agent
spec:
  selector:
    matchLabels:
      app: agent
  template:
    metadata:
      labels:
        app: agent
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1.36
        command: [sleep, '3600']
`

export const reconciled = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: reader
  namespace: t-reconcile
  labels:
    from: file
rules:
- apiGroups: ['']
  resources: [pods]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: readers
  namespace: t-reconcile
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: reader
subjects:
- kind: User
  name: jane
  apiGroup: rbac.authorization.k8s.io
- kind: ServiceAccount
  name: robot
  namespace: t-reconcile
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: t-reconcile-nodes
rules:
- apiGroups: ['']
  resources: [nodes]
  verbs: [list, get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: t-reconcile-nodes
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: t-reconcile-nodes
subjects:
- kind: Group
  name: devs
  apiGroup: rbac.authorization.k8s.io
`

/** Two events as somebody would report them: what `kubectl events` prints hangs on nothing else. */
export const events = `apiVersion: v1
kind: Event
metadata:
  name: first
  namespace: t-events
involvedObject:
  apiVersion: v1
  kind: ConfigMap
  name: one
  namespace: t-events
  uid: 11111111-2222-3333-4444-555555555555
reason: Read
message: somebody has read it
type: Normal
count: 3
firstTimestamp: '2020-01-01T00:00:00Z'
lastTimestamp: '2020-01-02T00:00:00Z'
source:
  component: tester
---
apiVersion: v1
kind: Event
metadata:
  name: second
  namespace: t-events
involvedObject:
  apiVersion: v1
  kind: ConfigMap
  name: two
  namespace: t-events
reason: Torn
message: a page is missing
type: Warning
lastTimestamp: '2020-01-03T00:00:00Z'
source:
  component: tester
  host: here
---
apiVersion: events.k8s.io/v1
kind: Event
metadata:
  name: third
  namespace: t-events
regarding:
  apiVersion: apps/v1
  kind: Deployment
  name: web
  namespace: t-events
action: Look
reason: Seen
note: it was there
type: Normal
eventTime: '2020-01-04T00:00:00.000000Z'
reportingController: example.com/looker
reportingInstance: looker-1
`

/** What belongs together by a label, of three kinds. */
export const together = `apiVersion: v1
kind: ConfigMap
metadata:
  name: kept
  labels:
    part: whole
data:
  a: '1'
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: dropped
  labels:
    part: whole
---
apiVersion: v1
kind: Secret
metadata:
  name: dropped
  labels:
    part: whole
---
apiVersion: v1
kind: Service
metadata:
  name: dropped
  labels:
    part: whole
spec:
  ports:
  - port: 80
`

export const alone = together.slice(0, together.indexOf('---\n'))

/** A Pod to which tokens are bound. */
export const bearer = `apiVersion: v1
kind: Pod
metadata:
  name: bearer
spec:
  terminationGracePeriodSeconds: 0
  serviceAccountName: robot
  containers:
  - name: main
    image: busybox:1.36
    command: [sleep, '3600']
`
