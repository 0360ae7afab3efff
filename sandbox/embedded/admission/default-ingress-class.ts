import type { ClusterContext } from '../machinery/context.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Ingress } from '../schema/types/networking.v1.ts'
import { type AdmissionPlugin, isAbout, refuse } from './admission.ts'

/** Ingresses that name no class get the default one, when there is exactly one. */
export function defaultIngressClass({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    handles: (request) => request.operation === 'CREATE' && isAbout(request, 'networking.k8s.io', 'ingresses'),
    mutate(request) {
      const ingress = request.object as Ingress
      const spec = (ingress.spec ??= {})
      if (spec.ingressClassName !== undefined || ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
      const marked = cache
        .list<KubeObject>(ingressClasses)
        .filter(({ metadata }) => metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true')
        .toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1))
      const [newest] = marked
      if (newest?.metadata.name) spec.ingressClassName = newest.metadata.name
      if (marked.length > 1) throw refuse(request, `${marked.length} default IngressClasses were found, only 1 allowed`)
    },
  }
}

const ingressClasses = { group: 'networking.k8s.io', version: 'v1', resource: 'ingressclasses' }
