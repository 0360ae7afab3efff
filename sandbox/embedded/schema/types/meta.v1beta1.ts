// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { ListMeta, PartialObjectMetadata } from './meta.v1.ts'

export interface PartialObjectMetadataList {
  apiVersion: 'meta.k8s.io/v1beta1'
  kind: 'PartialObjectMetadataList'
  metadata: ListMeta
  items: PartialObjectMetadata[]
}
