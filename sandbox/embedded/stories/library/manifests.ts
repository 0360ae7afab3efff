/** A Job of one container of busybox, `main`, which runs a script: what is given of its spec is lines of YAML. */
export const jobOf = (spec: string, script: string, restartPolicy = 'Never') => `
apiVersion: batch/v1
kind: Job
metadata: {name: work}
spec:
  ${spec}
  template:
    spec:
      restartPolicy: ${restartPolicy}
      terminationGracePeriodSeconds: 1
      containers:
        - {name: main, image: "busybox:1.36", command: [sh, -c, ${JSON.stringify(script)}]}
`

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
