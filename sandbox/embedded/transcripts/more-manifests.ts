/** The files that the further groups of transcripts work on. */

export const oneMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: one
  labels:
    app: x
data:
  colour: red
  rank: "2"
`

export const otherMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: other
`

export const bothMaps = `${oneMap}---
apiVersion: v1
kind: ConfigMap
metadata:
  name: two
  labels:
    app: x
data:
  colour: blue
  rank: "1"
`

export const webOfTwo = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    colour: red
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
      terminationGracePeriodSeconds: 0
      containers:
      - name: nginx
        image: nginx:1.27
`

export const kustomization = `resources:
- map.yaml
namePrefix: pre-
labels:
- pairs:
    via: kustomize
configMapGenerator:
- name: made
  literals:
  - a=1
`

/** Rules with a bound for each list, lists of all three types, fields to select by. */
export const ruledCrd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: gears.transcripts.example.com
spec:
  group: transcripts.example.com
  scope: Namespaced
  names:
    plural: gears
    kind: Gear
    shortNames: [gr]
    categories: [all]
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale:
        specReplicasPath: .spec.size
        statusReplicasPath: .status.size
    selectableFields:
    - jsonPath: .spec.metal
    additionalPrinterColumns:
    - name: Size
      type: integer
      jsonPath: .spec.size
    - name: Metal
      type: string
      jsonPath: .spec.metal
      priority: 1
    - name: Age
      type: date
      jsonPath: .metadata.creationTimestamp
    schema:
      openAPIV3Schema:
        type: object
        description: A wheel with teeth
        required: [spec]
        x-kubernetes-validations:
        - rule: self.metadata.name != 'forbidden'
          message: this name is not for gears
        properties:
          spec:
            type: object
            required: [size]
            x-kubernetes-validations:
            - rule: self.teeth.all(t, t > 0)
              messageExpression: "'a gear of size ' + string(self.size) + ' needs whole teeth'"
            - rule: self.owner == oldSelf.owner
              message: the owner stays
              reason: FieldValueForbidden
              fieldPath: .owner
            properties:
              size:
                type: integer
                minimum: 1
                maximum: 20
                description: How many teeth
                x-kubernetes-validations:
                - rule: self >= oldSelf
                  message: gears do not shrink
              owner:
                type: string
                maxLength: 20
                default: nobody
              metal:
                type: string
                enum: [steel, brass]
              teeth:
                type: array
                maxItems: 20
                default: []
                items:
                  type: integer
              tags:
                type: array
                maxItems: 5
                x-kubernetes-list-type: set
                items:
                  type: string
                  maxLength: 9
              ports:
                type: array
                maxItems: 5
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties:
                    name:
                      type: string
                      maxLength: 9
                    port:
                      type: integer
              extra:
                type: object
                x-kubernetes-preserve-unknown-fields: true
          status:
            type: object
            properties:
              phase:
                type: string
              size:
                type: integer
`

export const gear = `apiVersion: transcripts.example.com/v1
kind: Gear
metadata:
  name: first
spec:
  size: 3
  owner: jane
  metal: steel
  teeth: [1, 2, 3]
`

/** In its own namespace alone, so that nothing else is refused. */
export const replicaPolicy = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: t-replicas
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups: [apps]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [deployments]
  variables:
  - name: team
    expression: "'team' in object.metadata.labels ? object.metadata.labels['team'] : 'none'"
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: "'team ' + variables.team + ' may have 3 replicas, not ' + string(object.spec.replicas)"
  - expression: object.metadata.name != 'bad'
    reason: Forbidden
`

export const policyBinding = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: t-replicas
spec:
  policyName: t-replicas
  validationActions: [Deny]
  matchResources:
    namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: t-admit
`

/** For jane of the group devs. */
export const signingRequest = `apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata:
  name: t-jane
spec:
  request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQ1l6Q0NBVXNDQVFBd0hqRU5NQXNHQTFVRUF3d0VhbUZ1WlRFTk1Bc0dBMVVFQ2d3RVpHVjJjekNDQVNJdwpEUVlKS29aSWh2Y05BUUVCQlFBRGdnRVBBRENDQVFvQ2dnRUJBTVYrak4ySFMzQUp3T0JoUldzZXN2ckpJV3IrCmVGZmhpbmMzTUQyWm5kSEdYYjl6WVdNTFZCa216OVhROWZQcHYxcFptVDUrVXY1K0t6US9hTDJtRGJueDVOM0UKQWRsR05pODlsVWY0ZDdBdURuOGJudi9oTFdvUm5qdmhGWGdwM2ZCNEFURWNqREFYUzdYV0VaeXBYMmhtNnVvawowelFHeWdOaUhjcWVxYlh3MDJaMEpFM3A4aVhEWFBGOWZrMUYxa0NMNjIrVEpIbkFodCtoS1YvTllkbU15bXpqCmR2LzNOUlJIMjhPVEhab2ViV2ZxWWkxYkhscFhKK08yVlFaV0FYTVJWVU5SU1pUMWVoVzNXQnJ2VGJUdG5YNDAKbDVCeWJiNTR6eVE1Qm4rV1dUeDhzVVFFQVlNUVc1V3hXbDZBQnlFbjNDRURsSUNMUzV3RkVBY1gyQzBDQXdFQQpBYUFBTUEwR0NTcUdTSWIzRFFFQkN3VUFBNElCQVFDbWZkK2tYaHRXa1BTRHdEZDAza09Va1RxYTRmT2hSejY5CjJJaU9JSFRyYW16UjZQNm9Eb0RpVTFvazhKYWE3WG5XMjBUMGRhbXh5bEkxVmJwNFpnMWhmb2d4LzV6cktrSG0KY2d1aDI2Mk9ka0hnY013UWxld2d6VkFWbTlJcWZKcmZ0NllETnZGelA0Y28xOC9NVG1zUmU4RHZMSURnbnlPbApJVDFCR25BSENrbGtZMnBLK2Y0TVNkc2JKMXpzQkRrQmcvZlpqeHZQcUxrczRZZjBmaDBsR0xPNU1BVDE4OWY3Cnc3VWZMWndwT1oxa05BcG9iUmVzWitTWFROWmM0dDlwRmlSdkhscUF1eU4wVy91c3dCT1A5VHNhaFkvUHVIZ3QKaGFDeXdLbVRhOXR3SStLRFE2Tlc1WGFBd3pkaWs2WGFYeHladk83NzE5MjFDOVdlNndUQQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 3600
  usages: [client auth]
`
