/** Where the built-in gateway lives. */
export const controllerNamespace = 'gateway-system'
/** The Service in front of the proxy that serves Ingresses. */
export const ingressService = 'ingress'
/** The name of the built-in IngressClass and of the GatewayClass. */
export const builtInClass = 'labernetes'
export const ingressController = 'labernetes.io/ingress-controller'
/** Services of this class get an address from the gateway's controller. */
export const loadBalancerClass = 'labernetes.io/gateway'
export const gatewayImage = 'ghcr.io/labernetes/gateway:v1'
