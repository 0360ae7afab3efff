/** A Pod of one container, `main`: what is given of its spec and its container are lines of YAML. */
export const podOf = (name: string, image: string, container: string, spec = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 1
  ${spec}
  containers:
    - name: main
      image: ${JSON.stringify(image)}
      ${container}
`
