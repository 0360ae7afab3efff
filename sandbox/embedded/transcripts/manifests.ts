/** The files that the commands of the transcripts work on. */

/** Answers HTTP on port 80; it ends at once when it is told to. */
export const web = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: nginx
        image: nginx:1.27
        ports:
        - containerPort: 80
`

/** A pod with two containers, an init container, a volume and settings from outside. */
export const pair = `apiVersion: v1
kind: Pod
metadata:
  name: pair
  labels:
    app: pair
    tier: back
  annotations:
    note: hello
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: prepare
    image: busybox:1.36
    command: [sh, -c, 'echo prepared > /data/file; echo init done']
    volumeMounts:
    - name: data
      mountPath: /data
  containers:
  - name: one
    image: busybox:1.36
    command: [sh, -c, 'echo one starts; cat /data/file; sleep 3600']
    resources:
      requests:
        cpu: 10m
        memory: 16Mi
      limits:
        memory: 64Mi
    env:
    - name: COLOUR
      value: green
    - name: POD
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    volumeMounts:
    - name: data
      mountPath: /data
  - name: two
    image: busybox:1.36
    command: [sleep, '3600']
    livenessProbe:
      exec:
        command: ['true']
      periodSeconds: 30
  volumes:
  - name: data
    emptyDir: {}
`

export const failing = `apiVersion: v1
kind: Pod
metadata:
  name: failing
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox:1.36
    command: [sh, -c, 'echo about to fail; exit 3']
`

export const settings = `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels:
    part: settings
data:
  colour: blue
  file.txt: |
    first
    second
---
apiVersion: v1
kind: Secret
metadata:
  name: hidden
  labels:
    part: settings
stringData:
  password: opensesame
`

export const settingsChanged = settings.replace('colour: blue', 'colour: red')

export const settingsWithoutSecret = settings.slice(0, settings.indexOf('---\n'))

export const misspelt = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: misspelt
spec:
  replica: 2
  selector:
    matchLabels:
      app: misspelt
  template:
    metadata:
      labels:
        app: misspelt
    spec:
      containers:
      - name: main
        image: nginx:1.27
        imagePullPolice: Always
`

export const mismatched = misspelt
  .replace('replica: 2', 'replicas: 2')
  .replace('        imagePullPolice: Always\n', '')
  .replace('        app: misspelt\n    spec', '        app: other\n    spec')
  .replaceAll('misspelt', 'mismatched')

export const invalid = `apiVersion: v1
kind: Pod
metadata:
  name: Invalid_Name
spec:
  restartPolicy: Sometimes
  containers:
  - name: main
    ports:
    - containerPort: 99999
  - name: main
    image: nginx:1.27
    resources:
      requests:
        memory: 2Gi
      limits:
        memory: 1Gi
`

export const wrongType = `apiVersion: v1
kind: Service
metadata:
  name: wrong-type
spec:
  selector: web
  ports:
  - port: eighty
`

export const unknownKind = `apiVersion: example.com/v1
kind: Unicorn
metadata:
  name: shy
`

export const job = `apiVersion: batch/v1
kind: Job
metadata:
  name: count
spec:
  backoffLimit: 1
  completions: 2
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: count
        image: busybox:1.36
        command: [sh, -c, 'for i in 1 2 3; do echo $i; done']
`

export const cronJob = `apiVersion: batch/v1
kind: CronJob
metadata:
  name: nightly
spec:
  schedule: '30 2 * * *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
          - name: nightly
            image: busybox:1.36
            command: [sh, -c, 'echo night']
`

export const stateful = `apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  clusterIP: None
  selector:
    app: db
  ports:
  - name: sql
    port: 5432
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  serviceName: db
  replicas: 2
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
`

export const daemon = `apiVersion: apps/v1
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

export const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: disk
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
`

export const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: front
spec:
  rules:
  - host: example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: web
            port:
              number: 80
`

export const networkPolicy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: only-friends
spec:
  podSelector:
    matchLabels:
      app: web
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector:
        matchLabels:
          friend: 'yes'
    ports:
    - port: 80
`

export const limits = `apiVersion: v1
kind: ResourceQuota
metadata:
  name: quota
spec:
  hard:
    pods: '2'
    requests.cpu: '1'
---
apiVersion: v1
kind: LimitRange
metadata:
  name: limits
spec:
  limits:
  - type: Container
    default:
      cpu: 200m
    defaultRequest:
      cpu: 100m
    max:
      cpu: 800m
`

export const greedy = `apiVersion: v1
kind: Pod
metadata:
  name: greedy
spec:
  containers:
  - name: main
    image: nginx:1.27
    resources:
      limits:
        cpu: '2'
`

export const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.transcripts.example.com
spec:
  group: transcripts.example.com
  scope: Namespaced
  names:
    plural: widgets
    singular: widget
    kind: Widget
    shortNames: [wd]
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale:
        specReplicasPath: .spec.size
        statusReplicasPath: .status.size
    additionalPrinterColumns:
    - name: Size
      type: integer
      jsonPath: .spec.size
    - name: Age
      type: date
      jsonPath: .metadata.creationTimestamp
    schema:
      openAPIV3Schema:
        type: object
        description: A widget of any size.
        required: [spec]
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size:
                type: integer
                minimum: 1
                maximum: 10
                description: How many.
              colour:
                type: string
                enum: [red, green]
            x-kubernetes-validations:
            - rule: self.size != 7
              message: seven is not to be had
          status:
            type: object
            properties:
              size:
                type: integer
`

export const widget = `apiVersion: transcripts.example.com/v1
kind: Widget
metadata:
  name: first
spec:
  size: 3
  colour: red
`

export const unscheduled = `apiVersion: v1
kind: Pod
metadata:
  name: unscheduled
spec:
  nodeSelector:
    disk: fast
  containers:
  - name: main
    image: nginx:1.27
`

export const privileged = `apiVersion: v1
kind: Pod
metadata:
  name: privileged
spec:
  hostNetwork: true
  containers:
  - name: main
    image: nginx:1.27
    securityContext:
      privileged: true
`

export const roles = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: reader
rules:
- apiGroups: ['']
  resources: [pods, pods/log]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: readers
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: reader
subjects:
- kind: User
  name: jane
  apiGroup: rbac.authorization.k8s.io
`
