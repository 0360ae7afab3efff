/** One of each kind whose description and columns the first groups do not show. */

export const many = `apiVersion: v1
kind: ReplicationController
metadata:
  name: old
spec:
  replicas: 1
  selector:
    app: old
  template:
    metadata:
      labels:
        app: old
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1.36
        command: [sleep, '3600']
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: plain
spec:
  replicas: 0
  selector:
    matchLabels:
      app: plain
  template:
    metadata:
      labels:
        app: plain
    spec:
      containers:
      - name: main
        image: busybox:1.36
        command: [sleep, '3600']
        envFrom:
        - configMapRef:
            name: settings
            optional: true
          prefix: P_
        ports:
        - containerPort: 80
          name: http
          hostPort: 0
        startupProbe:
          tcpSocket:
            port: http
        lifecycle:
          preStop:
            exec:
              command: ['true']
        volumeMounts:
        - name: all
          mountPath: /all
          readOnly: true
      volumes:
      - name: all
        projected:
          sources:
          - secret:
              name: hidden
              optional: true
          - downwardAPI:
              items:
              - path: labels
                fieldRef:
                  fieldPath: metadata.labels
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: scaler
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: ReplicaSet
    name: none
  minReplicas: 2
  maxReplicas: 4
  metrics:
  - type: Resource
    resource:
      name: memory
      target:
        type: AverageValue
        averageValue: 100Mi
  - type: ContainerResource
    containerResource:
      name: cpu
      container: main
      target:
        type: Utilization
        averageUtilization: 60
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 10
      policies:
      - type: Pods
        value: 1
        periodSeconds: 15
---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: scoped
spec:
  hard:
    pods: '5'
    count/widgets.example.com: '2'
  scopeSelector:
    matchExpressions:
    - scopeName: PriorityClass
      operator: In
      values: [t-shapes]
---
apiVersion: v1
kind: LimitRange
metadata:
  name: all
spec:
  limits:
  - type: Pod
    max:
      cpu: '4'
    maxLimitRequestRatio:
      cpu: '4'
  - type: PersistentVolumeClaim
    min:
      storage: 1Mi
    max:
      storage: 2Gi
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: both
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress:
  - {}
  egress:
  - to:
    - ipBlock:
        cidr: 10.0.0.0/8
        except: [10.1.0.0/16]
    - namespaceSelector:
        matchLabels:
          team: a
      podSelector:
        matchExpressions:
        - key: app
          operator: Exists
    ports:
    - port: 53
      protocol: UDP
    - port: 8000
      endPort: 9000
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: hosts
spec:
  ingressClassName: none
  defaultBackend:
    service:
      name: fallback
      port:
        name: http
  tls:
  - hosts: [a.example.com]
    secretName: tls
  rules:
  - host: a.example.com
    http:
      paths:
      - path: /x
        pathType: Exact
        backend:
          service:
            name: old
            port:
              number: 80
      - path: /y
        pathType: ImplementationSpecific
        backend:
          resource:
            apiGroup: example.com
            kind: Bucket
            name: files
---
apiVersion: v1
kind: Service
metadata:
  name: old
spec:
  type: LoadBalancer
  sessionAffinity: ClientIP
  externalTrafficPolicy: Local
  ports:
  - name: http
    port: 80
    targetPort: web
    appProtocol: http
  - name: dns
    protocol: UDP
    port: 53
  selector:
    app: old
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: leader
spec:
  holderIdentity: me
  leaseDurationSeconds: 15
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: half
spec:
  maxUnavailable: 50%
  selector:
    matchLabels:
      app: old
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: paused
spec:
  schedule: '@hourly'
  timeZone: UTC
  suspend: true
  concurrencyPolicy: Replace
  startingDeadlineSeconds: 30
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: main
            image: busybox:1.36
            args: [date]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: indexed
spec:
  suspend: true
  completions: 3
  parallelism: 2
  completionMode: Indexed
  activeDeadlineSeconds: 100
  ttlSecondsAfterFinished: 5
  podFailurePolicy:
    rules:
    - action: FailJob
      onExitCodes:
        operator: In
        values: [42]
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox:1.36
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: puller
imagePullSecrets:
- name: regcred
secrets:
- name: gone
automountServiceAccountToken: false
`

/** Volumes made beforehand, and claims of them. */
export const volumes = `apiVersion: v1
kind: PersistentVolume
metadata:
  name: t-volumes-disk
spec:
  capacity:
    storage: 1Gi
  accessModes: [ReadWriteOnce, ReadOnlyMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: t-volumes
  hostPath:
    path: /tmp/t-volumes
    type: DirectoryOrCreate
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: disk
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: t-volumes
  resources:
    requests:
      storage: 500Mi
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: large
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: t-volumes
  resources:
    requests:
      storage: 5Gi
---
apiVersion: v1
kind: Pod
metadata:
  name: user
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1.36
    command: [sh, -c, 'echo kept >/data/file; sleep 3600']
    volumeMounts:
    - name: data
      mountPath: /data
      subPath: part
    - name: data
      mountPath: /whole
      readOnly: true
  volumes:
  - name: data
    persistentVolumeClaim:
      claimName: disk
`

/** Three that say what they are, one of which has begun again. */
export const speakers = `apiVersion: v1
kind: Pod
metadata:
  name: speaker
  labels:
    say: yes-please
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: OnFailure
  containers:
  - name: one
    image: busybox:1.36
    command: [sh, -c, 'for i in 1 2 3 4 5; do echo one $i; done; echo the last; sleep 3600']
  - name: two
    image: busybox:1.36
    command: [sh, -c, 'if [ -e /d/x ]; then echo again; sleep 3600; fi; echo first; touch /d/x; exit 1']
    volumeMounts:
    - name: d
      mountPath: /d
  volumes:
  - name: d
    emptyDir: {}
---
apiVersion: v1
kind: Pod
metadata:
  name: quiet
  labels:
    say: yes-please
  annotations:
    kubectl.kubernetes.io/default-container: main
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: aside
    image: busybox:1.36
    command: [sleep, '3600']
  - name: main
    image: busybox:1.36
    command: [sh, -c, 'echo main; cat; sleep 3600']
    stdin: true
    workingDir: /tmp
`
