// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { Condition, LabelSelector, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface AWSElasticBlockStoreVolumeSource {
  volumeID: string
  fsType?: string
  partition?: number
  readOnly?: boolean
}

export interface Affinity {
  nodeAffinity?: NodeAffinity
  podAffinity?: PodAffinity
  podAntiAffinity?: PodAntiAffinity
}

export interface AppArmorProfile {
  type: string
  localhostProfile?: string
}

export interface AttachedVolume {
  name: string
  devicePath: string
}

export interface AzureDiskVolumeSource {
  diskName: string
  diskURI: string
  cachingMode?: string
  fsType?: string
  readOnly?: boolean
  kind?: string
}

export interface AzureFilePersistentVolumeSource {
  secretName: string
  shareName: string
  readOnly?: boolean
  secretNamespace: string
}

export interface AzureFileVolumeSource {
  secretName: string
  shareName: string
  readOnly?: boolean
}

export interface Binding {
  apiVersion: 'v1'
  kind: 'Binding'
  metadata: ObjectMeta
  target: ObjectReference
}

export interface CSIPersistentVolumeSource {
  driver: string
  volumeHandle: string
  readOnly?: boolean
  fsType?: string
  volumeAttributes?: Record<string, string>
  controllerPublishSecretRef?: SecretReference
  nodeStageSecretRef?: SecretReference
  nodePublishSecretRef?: SecretReference
  controllerExpandSecretRef?: SecretReference
  nodeExpandSecretRef?: SecretReference
}

export interface CSIVolumeSource {
  driver: string
  readOnly?: boolean
  fsType?: string
  volumeAttributes?: Record<string, string>
  nodePublishSecretRef?: LocalObjectReference
}

export interface Capabilities {
  add?: string[]
  drop?: string[]
}

export interface CephFSPersistentVolumeSource {
  monitors: string[]
  path?: string
  user?: string
  secretFile?: string
  secretRef?: SecretReference
  readOnly?: boolean
}

export interface CephFSVolumeSource {
  monitors: string[]
  path?: string
  user?: string
  secretFile?: string
  secretRef?: LocalObjectReference
  readOnly?: boolean
}

export interface CinderPersistentVolumeSource {
  volumeID: string
  fsType?: string
  readOnly?: boolean
  secretRef?: SecretReference
}

export interface CinderVolumeSource {
  volumeID: string
  fsType?: string
  readOnly?: boolean
  secretRef?: LocalObjectReference
}

export interface ClientIPConfig {
  timeoutSeconds?: number
}

export interface ClusterTrustBundleProjection {
  name?: string
  signerName?: string
  labelSelector?: LabelSelector
  optional?: boolean
  path: string
}

export interface ComponentCondition {
  type: string
  status: string
  message?: string
  error?: string
}

export interface ComponentStatus {
  apiVersion: 'v1'
  kind: 'ComponentStatus'
  metadata: ObjectMeta
  conditions?: ComponentCondition[]
}

export interface ComponentStatusList {
  apiVersion: 'v1'
  kind: 'ComponentStatusList'
  metadata: ListMeta
  items: ComponentStatus[]
}

export interface ConfigMap {
  apiVersion: 'v1'
  kind: 'ConfigMap'
  metadata: ObjectMeta
  immutable?: boolean
  data?: Record<string, string>
  binaryData?: Record<string, string>
}

export interface ConfigMapEnvSource extends LocalObjectReference {
  optional?: boolean
}

export interface ConfigMapKeySelector extends LocalObjectReference {
  key: string
  optional?: boolean
}

export interface ConfigMapList {
  apiVersion: 'v1'
  kind: 'ConfigMapList'
  metadata: ListMeta
  items: ConfigMap[]
}

export interface ConfigMapNodeConfigSource {
  namespace: string
  name: string
  uid?: string
  resourceVersion?: string
  kubeletConfigKey: string
}

export interface ConfigMapProjection extends LocalObjectReference {
  items?: KeyToPath[]
  optional?: boolean
}

export interface ConfigMapVolumeSource extends LocalObjectReference {
  items?: KeyToPath[]
  defaultMode?: number
  optional?: boolean
}

export interface Container {
  name: string
  image?: string
  command?: string[]
  args?: string[]
  workingDir?: string
  ports?: ContainerPort[]
  envFrom?: EnvFromSource[]
  env?: EnvVar[]
  resources?: ResourceRequirements
  resizePolicy?: ContainerResizePolicy[]
  restartPolicy?: string
  restartPolicyRules?: ContainerRestartRule[]
  volumeMounts?: VolumeMount[]
  volumeDevices?: VolumeDevice[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
  lifecycle?: Lifecycle
  terminationMessagePath?: string
  terminationMessagePolicy?: string
  imagePullPolicy?: string
  securityContext?: SecurityContext
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
}

export interface ContainerExtendedResourceRequest {
  containerName: string
  resourceName: string
  requestName: string
}

export interface ContainerImage {
  names: string[]
  sizeBytes?: number
}

export interface ContainerPort {
  name?: string
  hostPort?: number
  containerPort: number
  protocol?: string
  hostIP?: string
}

export interface ContainerResizePolicy {
  resourceName: string
  restartPolicy: string
}

export interface ContainerRestartRule {
  action?: string
  exitCodes?: ContainerRestartRuleOnExitCodes
}

export interface ContainerRestartRuleOnExitCodes {
  operator?: string
  values?: number[]
}

export interface ContainerState {
  waiting?: ContainerStateWaiting
  running?: ContainerStateRunning
  terminated?: ContainerStateTerminated
}

export interface ContainerStateRunning {
  startedAt?: string
}

export interface ContainerStateTerminated {
  exitCode: number
  signal?: number
  reason?: string
  message?: string
  startedAt?: string
  finishedAt?: string
  containerID?: string
}

export interface ContainerStateWaiting {
  reason?: string
  message?: string
}

export interface ContainerStatus {
  name: string
  state?: ContainerState
  lastState?: ContainerState
  ready: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
  started?: boolean
  allocatedResources?: Record<string, string | number>
  resources?: ResourceRequirements
  volumeMounts?: VolumeMountStatus[]
  user?: ContainerUser
  allocatedResourcesStatus?: ResourceStatus[]
  stopSignal?: string
}

export interface ContainerUser {
  linux?: LinuxContainerUser
}

export interface DaemonEndpoint {
  Port: number
}

export interface DownwardAPIProjection {
  items?: DownwardAPIVolumeFile[]
}

export interface DownwardAPIVolumeFile {
  path: string
  fieldRef?: ObjectFieldSelector
  resourceFieldRef?: ResourceFieldSelector
  mode?: number
}

export interface DownwardAPIVolumeSource {
  items?: DownwardAPIVolumeFile[]
  defaultMode?: number
}

export interface EmptyDirVolumeSource {
  medium?: string
  sizeLimit?: string | number
}

export interface EndpointAddress {
  ip: string
  hostname?: string
  nodeName?: string
  targetRef?: ObjectReference
}

export interface EndpointPort {
  name?: string
  port: number
  protocol?: string
  appProtocol?: string
}

export interface EndpointSubset {
  addresses?: EndpointAddress[]
  notReadyAddresses?: EndpointAddress[]
  ports?: EndpointPort[]
}

export interface Endpoints {
  apiVersion: 'v1'
  kind: 'Endpoints'
  metadata: ObjectMeta
  subsets?: EndpointSubset[]
}

export interface EndpointsList {
  apiVersion: 'v1'
  kind: 'EndpointsList'
  metadata: ListMeta
  items: Endpoints[]
}

export interface EnvFromSource {
  prefix?: string
  configMapRef?: ConfigMapEnvSource
  secretRef?: SecretEnvSource
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: EnvVarSource
}

export interface EnvVarSource {
  fieldRef?: ObjectFieldSelector
  resourceFieldRef?: ResourceFieldSelector
  configMapKeyRef?: ConfigMapKeySelector
  secretKeyRef?: SecretKeySelector
  fileKeyRef?: FileKeySelector
}

export interface EphemeralContainer extends EphemeralContainerCommon {
  targetContainerName?: string
}

export interface EphemeralContainerCommon {
  name: string
  image?: string
  command?: string[]
  args?: string[]
  workingDir?: string
  ports?: ContainerPort[]
  envFrom?: EnvFromSource[]
  env?: EnvVar[]
  resources?: ResourceRequirements
  resizePolicy?: ContainerResizePolicy[]
  restartPolicy?: string
  restartPolicyRules?: ContainerRestartRule[]
  volumeMounts?: VolumeMount[]
  volumeDevices?: VolumeDevice[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
  lifecycle?: Lifecycle
  terminationMessagePath?: string
  terminationMessagePolicy?: string
  imagePullPolicy?: string
  securityContext?: SecurityContext
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
}

export interface EphemeralVolumeSource {
  volumeClaimTemplate?: PersistentVolumeClaimTemplate
}

export interface Event {
  apiVersion: 'v1'
  kind: 'Event'
  metadata: ObjectMeta
  involvedObject: ObjectReference
  reason?: string
  message?: string
  source?: EventSource
  firstTimestamp?: string
  lastTimestamp?: string
  count?: number
  type?: string
  eventTime?: string
  series?: EventSeries
  action?: string
  related?: ObjectReference
  reportingComponent: string
  reportingInstance: string
}

export interface EventList {
  apiVersion: 'v1'
  kind: 'EventList'
  metadata: ListMeta
  items: Event[]
}

export interface EventSeries {
  count?: number
  lastObservedTime?: string
}

export interface EventSource {
  component?: string
  host?: string
}

export interface ExecAction {
  command?: string[]
}

export interface FCVolumeSource {
  targetWWNs?: string[]
  lun?: number
  fsType?: string
  readOnly?: boolean
  wwids?: string[]
}

export interface FileKeySelector {
  volumeName: string
  path: string
  key: string
  optional?: boolean
}

export interface FlexPersistentVolumeSource {
  driver: string
  fsType?: string
  secretRef?: SecretReference
  readOnly?: boolean
  options?: Record<string, string>
}

export interface FlexVolumeSource {
  driver: string
  fsType?: string
  secretRef?: LocalObjectReference
  readOnly?: boolean
  options?: Record<string, string>
}

export interface FlockerVolumeSource {
  datasetName?: string
  datasetUUID?: string
}

export interface GCEPersistentDiskVolumeSource {
  pdName: string
  fsType?: string
  partition?: number
  readOnly?: boolean
}

export interface GRPCAction {
  port: number
  service: string
}

export interface GitRepoVolumeSource {
  repository: string
  revision?: string
  directory?: string
}

export interface GlusterfsPersistentVolumeSource {
  endpoints: string
  path: string
  readOnly?: boolean
  endpointsNamespace?: string
}

export interface GlusterfsVolumeSource {
  endpoints: string
  path: string
  readOnly?: boolean
}

export interface HTTPGetAction {
  path?: string
  port: string | number
  host?: string
  scheme?: string
  httpHeaders?: HTTPHeader[]
}

export interface HTTPHeader {
  name: string
  value: string
}

export interface HostAlias {
  ip: string
  hostnames?: string[]
}

export interface HostIP {
  ip: string
}

export interface HostPathVolumeSource {
  path: string
  type?: string
}

export interface ISCSIPersistentVolumeSource {
  targetPortal: string
  iqn: string
  lun: number
  iscsiInterface?: string
  fsType?: string
  readOnly?: boolean
  portals?: string[]
  chapAuthDiscovery?: boolean
  chapAuthSession?: boolean
  secretRef?: SecretReference
  initiatorName?: string
}

export interface ISCSIVolumeSource {
  targetPortal: string
  iqn: string
  lun: number
  iscsiInterface?: string
  fsType?: string
  readOnly?: boolean
  portals?: string[]
  chapAuthDiscovery?: boolean
  chapAuthSession?: boolean
  secretRef?: LocalObjectReference
  initiatorName?: string
}

export interface ImageVolumeSource {
  reference?: string
  pullPolicy?: string
}

export interface KeyToPath {
  key: string
  path: string
  mode?: number
}

export interface Lifecycle {
  postStart?: LifecycleHandler
  preStop?: LifecycleHandler
  stopSignal?: string
}

export interface LifecycleHandler {
  exec?: ExecAction
  httpGet?: HTTPGetAction
  tcpSocket?: TCPSocketAction
  sleep?: SleepAction
}

export interface LimitRange {
  apiVersion: 'v1'
  kind: 'LimitRange'
  metadata: ObjectMeta
  spec?: LimitRangeSpec
}

export interface LimitRangeItem {
  type: string
  max?: Record<string, string | number>
  min?: Record<string, string | number>
  default?: Record<string, string | number>
  defaultRequest?: Record<string, string | number>
  maxLimitRequestRatio?: Record<string, string | number>
}

export interface LimitRangeList {
  apiVersion: 'v1'
  kind: 'LimitRangeList'
  metadata: ListMeta
  items: LimitRange[]
}

export interface LimitRangeSpec {
  limits: LimitRangeItem[]
}

export interface LinuxContainerUser {
  uid: number
  gid: number
  supplementalGroups?: number[]
}

export interface List {
  apiVersion: 'v1'
  kind: 'List'
  metadata: ListMeta
  items: Record<string, unknown>[]
}

export interface LoadBalancerIngress {
  ip?: string
  hostname?: string
  ipMode?: string
  ports?: PortStatus[]
}

export interface LoadBalancerStatus {
  ingress?: LoadBalancerIngress[]
}

export interface LocalObjectReference {
  name?: string
}

export interface LocalVolumeSource {
  path: string
  fsType?: string
}

export interface ModifyVolumeStatus {
  targetVolumeAttributesClassName?: string
  status: string
}

export interface NFSVolumeSource {
  server: string
  path: string
  readOnly?: boolean
}

export interface Namespace {
  apiVersion: 'v1'
  kind: 'Namespace'
  metadata: ObjectMeta
  spec?: NamespaceSpec
  status?: NamespaceStatus
}

export interface NamespaceCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface NamespaceList {
  apiVersion: 'v1'
  kind: 'NamespaceList'
  metadata: ListMeta
  items: Namespace[]
}

export interface NamespaceSpec {
  finalizers?: string[]
}

export interface NamespaceStatus {
  phase?: string
  conditions?: NamespaceCondition[]
}

export interface Node {
  apiVersion: 'v1'
  kind: 'Node'
  metadata: ObjectMeta
  spec?: NodeSpec
  status?: NodeStatus
}

export interface NodeAddress {
  type: string
  address: string
}

export interface NodeAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution?: PreferredSchedulingTerm[]
}

export interface NodeCondition {
  type: string
  status: string
  lastHeartbeatTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface NodeConfigSource {
  configMap?: ConfigMapNodeConfigSource
}

export interface NodeConfigStatus {
  assigned?: NodeConfigSource
  active?: NodeConfigSource
  lastKnownGood?: NodeConfigSource
  error?: string
}

export interface NodeDaemonEndpoints {
  kubeletEndpoint?: DaemonEndpoint
}

export interface NodeFeatures {
  supplementalGroupsPolicy?: boolean
}

export interface NodeList {
  apiVersion: 'v1'
  kind: 'NodeList'
  metadata: ListMeta
  items: Node[]
}

export interface NodeProxyOptions {
  apiVersion: 'v1'
  kind: 'NodeProxyOptions'
  path?: string
}

export interface NodeRuntimeHandler {
  name: string
  features?: NodeRuntimeHandlerFeatures
}

export interface NodeRuntimeHandlerFeatures {
  recursiveReadOnlyMounts?: boolean
  userNamespaces?: boolean
}

export interface NodeSelector {
  nodeSelectorTerms: NodeSelectorTerm[]
}

export interface NodeSelectorRequirement {
  key: string
  operator: string
  values?: string[]
}

export interface NodeSelectorTerm {
  matchExpressions?: NodeSelectorRequirement[]
  matchFields?: NodeSelectorRequirement[]
}

export interface NodeSpec {
  podCIDR?: string
  podCIDRs?: string[]
  providerID?: string
  unschedulable?: boolean
  taints?: Taint[]
  configSource?: NodeConfigSource
  externalID?: string
}

export interface NodeStatus {
  capacity?: Record<string, string | number>
  allocatable?: Record<string, string | number>
  phase?: string
  conditions?: NodeCondition[]
  addresses?: NodeAddress[]
  daemonEndpoints?: NodeDaemonEndpoints
  nodeInfo?: NodeSystemInfo
  images?: ContainerImage[]
  volumesInUse?: string[]
  volumesAttached?: AttachedVolume[]
  config?: NodeConfigStatus
  runtimeHandlers?: NodeRuntimeHandler[]
  features?: NodeFeatures
}

export interface NodeSwapStatus {
  capacity?: number
}

export interface NodeSystemInfo {
  machineID: string
  systemUUID: string
  bootID: string
  kernelVersion: string
  osImage: string
  containerRuntimeVersion: string
  kubeletVersion: string
  kubeProxyVersion: string
  operatingSystem: string
  architecture: string
  swap?: NodeSwapStatus
}

export interface ObjectFieldSelector {
  apiVersion?: string
  fieldPath: string
}

export interface ObjectReference {
  kind?: string
  namespace?: string
  name?: string
  uid?: string
  apiVersion?: string
  resourceVersion?: string
  fieldPath?: string
}

export interface PersistentVolume {
  apiVersion: 'v1'
  kind: 'PersistentVolume'
  metadata: ObjectMeta
  spec?: PersistentVolumeSpec
  status?: PersistentVolumeStatus
}

export interface PersistentVolumeClaim {
  apiVersion: 'v1'
  kind: 'PersistentVolumeClaim'
  metadata: ObjectMeta
  spec?: PersistentVolumeClaimSpec
  status?: PersistentVolumeClaimStatus
}

export interface PersistentVolumeClaimCondition {
  type: string
  status: string
  lastProbeTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface PersistentVolumeClaimList {
  apiVersion: 'v1'
  kind: 'PersistentVolumeClaimList'
  metadata: ListMeta
  items: PersistentVolumeClaim[]
}

export interface PersistentVolumeClaimSpec {
  accessModes?: string[]
  selector?: LabelSelector
  resources?: VolumeResourceRequirements
  volumeName?: string
  storageClassName?: string
  volumeMode?: string
  dataSource?: TypedLocalObjectReference
  dataSourceRef?: TypedObjectReference
  volumeAttributesClassName?: string
}

export interface PersistentVolumeClaimStatus {
  phase?: string
  accessModes?: string[]
  capacity?: Record<string, string | number>
  conditions?: PersistentVolumeClaimCondition[]
  allocatedResources?: Record<string, string | number>
  allocatedResourceStatuses?: Record<string, string>
  currentVolumeAttributesClassName?: string
  modifyVolumeStatus?: ModifyVolumeStatus
}

export interface PersistentVolumeClaimTemplate {
  metadata: ObjectMeta
  spec: PersistentVolumeClaimSpec
}

export interface PersistentVolumeClaimVolumeSource {
  claimName: string
  readOnly?: boolean
}

export interface PersistentVolumeList {
  apiVersion: 'v1'
  kind: 'PersistentVolumeList'
  metadata: ListMeta
  items: PersistentVolume[]
}

export interface PersistentVolumeSource {
  gcePersistentDisk?: GCEPersistentDiskVolumeSource
  awsElasticBlockStore?: AWSElasticBlockStoreVolumeSource
  hostPath?: HostPathVolumeSource
  glusterfs?: GlusterfsPersistentVolumeSource
  nfs?: NFSVolumeSource
  rbd?: RBDPersistentVolumeSource
  iscsi?: ISCSIPersistentVolumeSource
  cinder?: CinderPersistentVolumeSource
  cephfs?: CephFSPersistentVolumeSource
  fc?: FCVolumeSource
  flocker?: FlockerVolumeSource
  flexVolume?: FlexPersistentVolumeSource
  azureFile?: AzureFilePersistentVolumeSource
  vsphereVolume?: VsphereVirtualDiskVolumeSource
  quobyte?: QuobyteVolumeSource
  azureDisk?: AzureDiskVolumeSource
  photonPersistentDisk?: PhotonPersistentDiskVolumeSource
  portworxVolume?: PortworxVolumeSource
  scaleIO?: ScaleIOPersistentVolumeSource
  local?: LocalVolumeSource
  storageos?: StorageOSPersistentVolumeSource
  csi?: CSIPersistentVolumeSource
}

export interface PersistentVolumeSpec extends PersistentVolumeSource {
  capacity?: Record<string, string | number>
  accessModes?: string[]
  claimRef?: ObjectReference
  persistentVolumeReclaimPolicy?: string
  storageClassName?: string
  mountOptions?: string[]
  volumeMode?: string
  nodeAffinity?: VolumeNodeAffinity
  volumeAttributesClassName?: string
}

export interface PersistentVolumeStatus {
  phase?: string
  message?: string
  reason?: string
  lastPhaseTransitionTime?: string
}

export interface PhotonPersistentDiskVolumeSource {
  pdID: string
  fsType?: string
}

export interface Pod {
  apiVersion: 'v1'
  kind: 'Pod'
  metadata: ObjectMeta
  spec?: PodSpec
  status?: PodStatus
}

export interface PodAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[]
  preferredDuringSchedulingIgnoredDuringExecution?: WeightedPodAffinityTerm[]
}

export interface PodAffinityTerm {
  labelSelector?: LabelSelector
  namespaces?: string[]
  topologyKey: string
  namespaceSelector?: LabelSelector
  matchLabelKeys?: string[]
  mismatchLabelKeys?: string[]
}

export interface PodAntiAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[]
  preferredDuringSchedulingIgnoredDuringExecution?: WeightedPodAffinityTerm[]
}

export interface PodAttachOptions {
  apiVersion: 'v1'
  kind: 'PodAttachOptions'
  stdin?: boolean
  stdout?: boolean
  stderr?: boolean
  tty?: boolean
  container?: string
}

export interface PodCertificateProjection {
  signerName?: string
  keyType?: string
  maxExpirationSeconds?: number
  credentialBundlePath?: string
  keyPath?: string
  certificateChainPath?: string
}

export interface PodCondition {
  type: string
  observedGeneration?: number
  status: string
  lastProbeTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface PodDNSConfig {
  nameservers?: string[]
  searches?: string[]
  options?: PodDNSConfigOption[]
}

export interface PodDNSConfigOption {
  name?: string
  value?: string
}

export interface PodExecOptions {
  apiVersion: 'v1'
  kind: 'PodExecOptions'
  stdin?: boolean
  stdout?: boolean
  stderr?: boolean
  tty?: boolean
  container?: string
  command: string[]
}

export interface PodExtendedResourceClaimStatus {
  requestMappings: ContainerExtendedResourceRequest[]
  resourceClaimName: string
}

export interface PodIP {
  ip: string
}

export interface PodList {
  apiVersion: 'v1'
  kind: 'PodList'
  metadata: ListMeta
  items: Pod[]
}

export interface PodLogOptions {
  apiVersion: 'v1'
  kind: 'PodLogOptions'
  container?: string
  follow?: boolean
  previous?: boolean
  sinceSeconds?: number
  sinceTime?: string
  timestamps?: boolean
  tailLines?: number
  limitBytes?: number
  insecureSkipTLSVerifyBackend?: boolean
  stream?: string
}

export interface PodOS {
  name: string
}

export interface PodPortForwardOptions {
  apiVersion: 'v1'
  kind: 'PodPortForwardOptions'
  ports?: number[]
}

export interface PodProxyOptions {
  apiVersion: 'v1'
  kind: 'PodProxyOptions'
  path?: string
}

export interface PodReadinessGate {
  conditionType: string
}

export interface PodResourceClaim {
  name: string
  resourceClaimName?: string
  resourceClaimTemplateName?: string
}

export interface PodResourceClaimStatus {
  name: string
  resourceClaimName?: string
}

export interface PodSchedulingGate {
  name: string
}

export interface PodSecurityContext {
  seLinuxOptions?: SELinuxOptions
  windowsOptions?: WindowsSecurityContextOptions
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  supplementalGroups?: number[]
  supplementalGroupsPolicy?: string
  fsGroup?: number
  sysctls?: Sysctl[]
  fsGroupChangePolicy?: string
  seccompProfile?: SeccompProfile
  appArmorProfile?: AppArmorProfile
  seLinuxChangePolicy?: string
}

export interface PodSpec {
  volumes?: Volume[]
  initContainers?: Container[]
  containers: Container[]
  ephemeralContainers?: EphemeralContainer[]
  restartPolicy?: string
  terminationGracePeriodSeconds?: number
  activeDeadlineSeconds?: number
  dnsPolicy?: string
  nodeSelector?: Record<string, string>
  serviceAccountName?: string
  serviceAccount?: string
  automountServiceAccountToken?: boolean
  nodeName?: string
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  shareProcessNamespace?: boolean
  securityContext?: PodSecurityContext
  imagePullSecrets?: LocalObjectReference[]
  hostname?: string
  subdomain?: string
  affinity?: Affinity
  schedulerName?: string
  tolerations?: Toleration[]
  hostAliases?: HostAlias[]
  priorityClassName?: string
  priority?: number
  dnsConfig?: PodDNSConfig
  readinessGates?: PodReadinessGate[]
  runtimeClassName?: string
  enableServiceLinks?: boolean
  preemptionPolicy?: string
  overhead?: Record<string, string | number>
  topologySpreadConstraints?: TopologySpreadConstraint[]
  setHostnameAsFQDN?: boolean
  os?: PodOS
  hostUsers?: boolean
  schedulingGates?: PodSchedulingGate[]
  resourceClaims?: PodResourceClaim[]
  resources?: ResourceRequirements
  hostnameOverride?: string
}

export interface PodStatus {
  observedGeneration?: number
  phase?: string
  conditions?: PodCondition[]
  message?: string
  reason?: string
  nominatedNodeName?: string
  hostIP?: string
  hostIPs?: HostIP[]
  podIP?: string
  podIPs?: PodIP[]
  startTime?: string
  initContainerStatuses?: ContainerStatus[]
  containerStatuses?: ContainerStatus[]
  qosClass?: string
  ephemeralContainerStatuses?: ContainerStatus[]
  resize?: string
  resourceClaimStatuses?: PodResourceClaimStatus[]
  extendedResourceClaimStatus?: PodExtendedResourceClaimStatus
}

export interface PodStatusResult {
  apiVersion: 'v1'
  kind: 'PodStatusResult'
  metadata: ObjectMeta
  status?: PodStatus
}

export interface PodTemplate {
  apiVersion: 'v1'
  kind: 'PodTemplate'
  metadata: ObjectMeta
  template?: PodTemplateSpec
}

export interface PodTemplateList {
  apiVersion: 'v1'
  kind: 'PodTemplateList'
  metadata: ListMeta
  items: PodTemplate[]
}

export interface PodTemplateSpec {
  metadata: ObjectMeta
  spec?: PodSpec
}

export interface PortStatus {
  port: number
  protocol: string
  error?: string
}

export interface PortworxVolumeSource {
  volumeID: string
  fsType?: string
  readOnly?: boolean
}

export interface PreferredSchedulingTerm {
  weight: number
  preference: NodeSelectorTerm
}

export interface Probe extends ProbeHandler {
  initialDelaySeconds?: number
  timeoutSeconds?: number
  periodSeconds?: number
  successThreshold?: number
  failureThreshold?: number
  terminationGracePeriodSeconds?: number
}

export interface ProbeHandler {
  exec?: ExecAction
  httpGet?: HTTPGetAction
  tcpSocket?: TCPSocketAction
  grpc?: GRPCAction
}

export interface ProjectedVolumeSource {
  sources: VolumeProjection[]
  defaultMode?: number
}

export interface QuobyteVolumeSource {
  registry: string
  volume: string
  readOnly?: boolean
  user?: string
  group?: string
  tenant?: string
}

export interface RBDPersistentVolumeSource {
  monitors: string[]
  image: string
  fsType?: string
  pool?: string
  user?: string
  keyring?: string
  secretRef?: SecretReference
  readOnly?: boolean
}

export interface RBDVolumeSource {
  monitors: string[]
  image: string
  fsType?: string
  pool?: string
  user?: string
  keyring?: string
  secretRef?: LocalObjectReference
  readOnly?: boolean
}

export interface RangeAllocation {
  apiVersion: 'v1'
  kind: 'RangeAllocation'
  metadata: ObjectMeta
  range: string
  data: string
}

export interface ReplicationController {
  apiVersion: 'v1'
  kind: 'ReplicationController'
  metadata: ObjectMeta
  spec?: ReplicationControllerSpec
  status?: ReplicationControllerStatus
}

export interface ReplicationControllerCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface ReplicationControllerList {
  apiVersion: 'v1'
  kind: 'ReplicationControllerList'
  metadata: ListMeta
  items: ReplicationController[]
}

export interface ReplicationControllerSpec {
  replicas?: number
  minReadySeconds?: number
  selector?: Record<string, string>
  template?: PodTemplateSpec
}

export interface ReplicationControllerStatus {
  replicas: number
  fullyLabeledReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  observedGeneration?: number
  conditions?: ReplicationControllerCondition[]
}

export interface ResourceClaim {
  name: string
  request?: string
}

export interface ResourceFieldSelector {
  containerName?: string
  resource: string
  divisor?: string | number
}

export interface ResourceHealth {
  resourceID: string
  health?: string
}

export interface ResourceQuota {
  apiVersion: 'v1'
  kind: 'ResourceQuota'
  metadata: ObjectMeta
  spec?: ResourceQuotaSpec
  status?: ResourceQuotaStatus
}

export interface ResourceQuotaList {
  apiVersion: 'v1'
  kind: 'ResourceQuotaList'
  metadata: ListMeta
  items: ResourceQuota[]
}

export interface ResourceQuotaSpec {
  hard?: Record<string, string | number>
  scopes?: string[]
  scopeSelector?: ScopeSelector
}

export interface ResourceQuotaStatus {
  hard?: Record<string, string | number>
  used?: Record<string, string | number>
}

export interface ResourceRequirements {
  limits?: Record<string, string | number>
  requests?: Record<string, string | number>
  claims?: ResourceClaim[]
}

export interface ResourceStatus {
  name: string
  resources?: ResourceHealth[]
}

export interface SELinuxOptions {
  user?: string
  role?: string
  type?: string
  level?: string
}

export interface ScaleIOPersistentVolumeSource {
  gateway: string
  system: string
  secretRef: SecretReference
  sslEnabled?: boolean
  protectionDomain?: string
  storagePool?: string
  storageMode?: string
  volumeName?: string
  fsType?: string
  readOnly?: boolean
}

export interface ScaleIOVolumeSource {
  gateway: string
  system: string
  secretRef: LocalObjectReference
  sslEnabled?: boolean
  protectionDomain?: string
  storagePool?: string
  storageMode?: string
  volumeName?: string
  fsType?: string
  readOnly?: boolean
}

export interface ScopeSelector {
  matchExpressions?: ScopedResourceSelectorRequirement[]
}

export interface ScopedResourceSelectorRequirement {
  scopeName: string
  operator: string
  values?: string[]
}

export interface SeccompProfile {
  type: string
  localhostProfile?: string
}

export interface Secret {
  apiVersion: 'v1'
  kind: 'Secret'
  metadata: ObjectMeta
  immutable?: boolean
  data?: Record<string, string>
  stringData?: Record<string, string>
  type?: string
}

export interface SecretEnvSource extends LocalObjectReference {
  optional?: boolean
}

export interface SecretKeySelector extends LocalObjectReference {
  key: string
  optional?: boolean
}

export interface SecretList {
  apiVersion: 'v1'
  kind: 'SecretList'
  metadata: ListMeta
  items: Secret[]
}

export interface SecretProjection extends LocalObjectReference {
  items?: KeyToPath[]
  optional?: boolean
}

export interface SecretReference {
  name?: string
  namespace?: string
}

export interface SecretVolumeSource {
  secretName?: string
  items?: KeyToPath[]
  defaultMode?: number
  optional?: boolean
}

export interface SecurityContext {
  capabilities?: Capabilities
  privileged?: boolean
  seLinuxOptions?: SELinuxOptions
  windowsOptions?: WindowsSecurityContextOptions
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  readOnlyRootFilesystem?: boolean
  allowPrivilegeEscalation?: boolean
  procMount?: string
  seccompProfile?: SeccompProfile
  appArmorProfile?: AppArmorProfile
}

export interface SerializedReference {
  apiVersion: 'v1'
  kind: 'SerializedReference'
  reference?: ObjectReference
}

export interface Service {
  apiVersion: 'v1'
  kind: 'Service'
  metadata: ObjectMeta
  spec?: ServiceSpec
  status?: ServiceStatus
}

export interface ServiceAccount {
  apiVersion: 'v1'
  kind: 'ServiceAccount'
  metadata: ObjectMeta
  secrets?: ObjectReference[]
  imagePullSecrets?: LocalObjectReference[]
  automountServiceAccountToken?: boolean
}

export interface ServiceAccountList {
  apiVersion: 'v1'
  kind: 'ServiceAccountList'
  metadata: ListMeta
  items: ServiceAccount[]
}

export interface ServiceAccountTokenProjection {
  audience?: string
  expirationSeconds?: number
  path: string
}

export interface ServiceList {
  apiVersion: 'v1'
  kind: 'ServiceList'
  metadata: ListMeta
  items: Service[]
}

export interface ServicePort {
  name?: string
  protocol?: string
  appProtocol?: string
  port: number
  targetPort?: string | number
  nodePort?: number
}

export interface ServiceProxyOptions {
  apiVersion: 'v1'
  kind: 'ServiceProxyOptions'
  path?: string
}

export interface ServiceSpec {
  ports?: ServicePort[]
  selector?: Record<string, string>
  clusterIP?: string
  clusterIPs?: string[]
  type?: string
  externalIPs?: string[]
  sessionAffinity?: string
  loadBalancerIP?: string
  loadBalancerSourceRanges?: string[]
  externalName?: string
  externalTrafficPolicy?: string
  healthCheckNodePort?: number
  publishNotReadyAddresses?: boolean
  sessionAffinityConfig?: SessionAffinityConfig
  ipFamilies?: string[]
  ipFamilyPolicy?: string
  allocateLoadBalancerNodePorts?: boolean
  loadBalancerClass?: string
  internalTrafficPolicy?: string
  trafficDistribution?: string
}

export interface ServiceStatus {
  loadBalancer?: LoadBalancerStatus
  conditions?: Condition[]
}

export interface SessionAffinityConfig {
  clientIP?: ClientIPConfig
}

export interface SleepAction {
  seconds: number
}

export interface StorageOSPersistentVolumeSource {
  volumeName?: string
  volumeNamespace?: string
  fsType?: string
  readOnly?: boolean
  secretRef?: ObjectReference
}

export interface StorageOSVolumeSource {
  volumeName?: string
  volumeNamespace?: string
  fsType?: string
  readOnly?: boolean
  secretRef?: LocalObjectReference
}

export interface Sysctl {
  name: string
  value: string
}

export interface TCPSocketAction {
  port: string | number
  host?: string
}

export interface Taint {
  key: string
  value?: string
  effect: string
  timeAdded?: string
}

export interface Toleration {
  key?: string
  operator?: string
  value?: string
  effect?: string
  tolerationSeconds?: number
}

export interface TopologySelectorLabelRequirement {
  key: string
  values: string[]
}

export interface TopologySelectorTerm {
  matchLabelExpressions?: TopologySelectorLabelRequirement[]
}

export interface TopologySpreadConstraint {
  maxSkew: number
  topologyKey: string
  whenUnsatisfiable: string
  labelSelector?: LabelSelector
  minDomains?: number
  nodeAffinityPolicy?: string
  nodeTaintsPolicy?: string
  matchLabelKeys?: string[]
}

export interface TypedLocalObjectReference {
  apiGroup: string
  kind: string
  name: string
}

export interface TypedObjectReference {
  apiGroup: string
  kind: string
  name: string
  namespace?: string
}

export interface Volume extends VolumeSource {
  name: string
}

export interface VolumeDevice {
  name: string
  devicePath: string
}

export interface VolumeMount {
  name: string
  readOnly?: boolean
  recursiveReadOnly?: string
  mountPath: string
  subPath?: string
  mountPropagation?: string
  subPathExpr?: string
}

export interface VolumeMountStatus {
  name: string
  mountPath: string
  readOnly?: boolean
  recursiveReadOnly?: string
}

export interface VolumeNodeAffinity {
  required?: NodeSelector
}

export interface VolumeProjection {
  secret?: SecretProjection
  downwardAPI?: DownwardAPIProjection
  configMap?: ConfigMapProjection
  serviceAccountToken?: ServiceAccountTokenProjection
  clusterTrustBundle?: ClusterTrustBundleProjection
  podCertificate?: PodCertificateProjection
}

export interface VolumeResourceRequirements {
  limits?: Record<string, string | number>
  requests?: Record<string, string | number>
}

export interface VolumeSource {
  hostPath?: HostPathVolumeSource
  emptyDir?: EmptyDirVolumeSource
  gcePersistentDisk?: GCEPersistentDiskVolumeSource
  awsElasticBlockStore?: AWSElasticBlockStoreVolumeSource
  gitRepo?: GitRepoVolumeSource
  secret?: SecretVolumeSource
  nfs?: NFSVolumeSource
  iscsi?: ISCSIVolumeSource
  glusterfs?: GlusterfsVolumeSource
  persistentVolumeClaim?: PersistentVolumeClaimVolumeSource
  rbd?: RBDVolumeSource
  flexVolume?: FlexVolumeSource
  cinder?: CinderVolumeSource
  cephfs?: CephFSVolumeSource
  flocker?: FlockerVolumeSource
  downwardAPI?: DownwardAPIVolumeSource
  fc?: FCVolumeSource
  azureFile?: AzureFileVolumeSource
  configMap?: ConfigMapVolumeSource
  vsphereVolume?: VsphereVirtualDiskVolumeSource
  quobyte?: QuobyteVolumeSource
  azureDisk?: AzureDiskVolumeSource
  photonPersistentDisk?: PhotonPersistentDiskVolumeSource
  projected?: ProjectedVolumeSource
  portworxVolume?: PortworxVolumeSource
  scaleIO?: ScaleIOVolumeSource
  storageos?: StorageOSVolumeSource
  csi?: CSIVolumeSource
  ephemeral?: EphemeralVolumeSource
  image?: ImageVolumeSource
}

export interface VsphereVirtualDiskVolumeSource {
  volumePath: string
  fsType?: string
  storagePolicyName?: string
  storagePolicyID?: string
}

export interface WeightedPodAffinityTerm {
  weight: number
  podAffinityTerm: PodAffinityTerm
}

export interface WindowsSecurityContextOptions {
  gmsaCredentialSpecName?: string
  gmsaCredentialSpec?: string
  runAsUserName?: string
  hostProcess?: boolean
}
