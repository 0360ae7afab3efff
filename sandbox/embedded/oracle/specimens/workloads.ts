import { template } from './pods.ts'
import { namespaced, type Specimen } from './specimen.ts'

const selector = { matchLabels: { app: 'one' }, matchExpressions: [{ key: 'app', operator: 'In', values: ['one', 'two'] }] }

const job = {
  parallelism: 2,
  completions: 3,
  activeDeadlineSeconds: 100,
  backoffLimit: 4,
  backoffLimitPerIndex: 1,
  maxFailedIndexes: 2,
  completionMode: 'Indexed',
  ttlSecondsAfterFinished: 60,
  suspend: true,
  podReplacementPolicy: 'Failed',
  managedBy: 'example.com/other',
  podFailurePolicy: {
    rules: [
      { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [1, 42] } },
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    ],
  },
  successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] },
  template: template({ restartPolicy: 'Never' }),
}

export const workloadSpecimens: readonly Specimen[] = [
  namespaced('apps/v1', 'Deployment', 'deployments', {
    metadata: { labels: { app: 'one' } },
    spec: {
      replicas: 2,
      minReadySeconds: 3,
      revisionHistoryLimit: 4,
      progressDeadlineSeconds: 100,
      paused: true,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: '10%' } },
      selector,
      template: template(),
    },
  }),
  namespaced('apps/v1', 'ReplicaSet', 'replicasets', { spec: { replicas: 2, minReadySeconds: 1, selector, template: template() } }),
  namespaced('apps/v1', 'StatefulSet', 'statefulsets', {
    spec: {
      serviceName: 'one',
      replicas: 2,
      podManagementPolicy: 'Parallel',
      minReadySeconds: 1,
      revisionHistoryLimit: 3,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
      ordinals: { start: 1 },
      selector,
      template: template(),
      volumeClaimTemplates: [
        { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      ],
    },
  }),
  namespaced('apps/v1', 'DaemonSet', 'daemonsets', {
    spec: {
      minReadySeconds: 1,
      revisionHistoryLimit: 3,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      selector,
      template: template(),
    },
  }),
  namespaced('apps/v1', 'ControllerRevision', 'controllerrevisions', { data: { spec: { a: 1 } }, revision: 1 }),
  namespaced('batch/v1', 'Job', 'jobs', { spec: job }),
  namespaced(
    'batch/v1',
    'Job',
    'jobs',
    {
      spec: {
        manualSelector: true,
        selector,
        template: template({ restartPolicy: 'OnFailure' }),
      },
    },
    'Job (own selector)',
  ),
  namespaced('batch/v1', 'CronJob', 'cronjobs', {
    spec: {
      schedule: '*/5 * * * *',
      timeZone: 'Etc/UTC',
      startingDeadlineSeconds: 10,
      concurrencyPolicy: 'Forbid',
      suspend: false,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 2,
      jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: template({ restartPolicy: 'OnFailure' }) } },
    },
  }),
  namespaced('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'one' },
      minReplicas: 1,
      maxReplicas: 5,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        {
          type: 'ContainerResource',
          containerResource: { name: 'memory', container: 'main', target: { type: 'AverageValue', averageValue: '100Mi' } },
        },
        {
          type: 'Pods',
          pods: {
            metric: { name: 'requests', selector: { matchLabels: { a: 'b' } } },
            target: { type: 'AverageValue', averageValue: '10' },
          },
        },
        {
          type: 'Object',
          object: {
            metric: { name: 'hits' },
            describedObject: { apiVersion: 'v1', kind: 'Service', name: 'one' },
            target: { type: 'Value', value: '10' },
          },
        },
        { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '3' } } },
      ],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 10,
          selectPolicy: 'Max',
          policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
        },
        scaleDown: { policies: [{ type: 'Percent', value: 100, periodSeconds: 60 }] },
      },
    },
  }),
  namespaced(
    'autoscaling/v1',
    'HorizontalPodAutoscaler',
    'horizontalpodautoscalers',
    {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'one' },
        minReplicas: 1,
        maxReplicas: 5,
        targetCPUUtilizationPercentage: 50,
      },
    },
    'HorizontalPodAutoscaler (v1)',
  ),
  namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', {
    spec: { minAvailable: '50%', selector, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
  }),
]
