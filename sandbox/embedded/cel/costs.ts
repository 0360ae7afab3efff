/** A pass over a text, by character, and a pattern's, by character of the pattern. */
export const traversal = 0.1
export const regularExpression = 0.25
/** Of what makes one, beside its parts. */
export const listCost = 10
export const mapCost = 30
export const structCost = 40
/** Two of them fit into what one evaluation may cost. */
export const authorizationCheck = 350_000

const simple =
  'serviceAccount path group resource subresource namespace name allowed reason error errored masked prefixLength family isUnspecified ' +
  'isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named sign asInteger isInteger asApproximateFloat ' +
  'isGreaterThan isLessThan compareTo add sub major minor patch getScheme getHostname getHost getPort getEscapedPath getQuery'

/** Functions of Kubernetes' libraries whose cost is the same each time. */
export const fixedCosts: ReadonlyMap<string, number> = new Map(simple.split(' ').map((name) => [name, 1]))

/** A list for the requirements, reading them, and a list and a struct for each that may be in so long a text. */
export function selectorCost(length: number): number {
  return 10 + Math.ceil(length * traversal) + Math.ceil(Math.ceil(length * 0.5) * 50)
}
