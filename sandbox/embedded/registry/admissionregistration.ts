import type {
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../schema/types/admissionregistration.v1.ts'
import { define, ofStatusAlone } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import {
  admissionPolicyBindingRules,
  admissionPolicyRules,
  mutatingWebhookRules,
  validatingWebhookRules,
} from './rules/admissionregistration.ts'

const group = 'admissionregistration.k8s.io'
const version = 'v1'

export const admissionregistration: readonly ResourceInfo[] = [
  define<MutatingWebhookConfiguration>(group, version, {
    kind: 'MutatingWebhookConfiguration',
    resource: 'mutatingwebhookconfigurations',
    categories: ['api-extensions'],
    metadataChecks: 'generic',
    namespaced: false,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    ...mutatingWebhookRules,
  }),
  define<ValidatingAdmissionPolicy>(group, version, {
    kind: 'ValidatingAdmissionPolicy',
    resource: 'validatingadmissionpolicies',
    categories: ['api-extensions'],
    metadataChecks: 'generic',
    namespaced: false,
    status: true,
    statusKeepsMetadata: true,
    resetFields: ofStatusAlone,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    ...admissionPolicyRules,
  }),
  define<ValidatingAdmissionPolicyBinding>(group, version, {
    kind: 'ValidatingAdmissionPolicyBinding',
    resource: 'validatingadmissionpolicybindings',
    categories: ['api-extensions'],
    metadataChecks: 'generic',
    namespaced: false,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    ...admissionPolicyBindingRules,
  }),
  define<ValidatingWebhookConfiguration>(group, version, {
    kind: 'ValidatingWebhookConfiguration',
    resource: 'validatingwebhookconfigurations',
    categories: ['api-extensions'],
    metadataChecks: 'generic',
    namespaced: false,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    ...validatingWebhookRules,
  }),
]
