import type { Toleration } from '../../schema/types/core.v1.ts'
import type { RuntimeClass } from '../../schema/types/node.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, invalid, Path } from '../field.ts'
import { goShape } from '../go-shape.ts'
import { validateImmutable, validateLabels } from '../metadata.ts'
import { isDns1123Label } from '../names.ts'
import { validateTolerations } from '../pod-placement.ts'
import { validateResources } from '../resource-validation.ts'

/** pkg/apis/node/validation. */
export const runtimeClassRules: Partial<Definition<RuntimeClass>> = {
  metadataChecks: 'generic',
  validate({ handler = '', overhead, scheduling }) {
    const at = new Path('scheduling')
    return [
      ...isDns1123Label(handler).map((text) => invalid(new Path('handler'), handler, text)),
      ...validateResources({ limits: overhead?.podFixed ?? {} }, new Path('overhead')),
      ...validateLabels(scheduling?.nodeSelector, at.child('nodeSelector')),
      ...tolerationErrors(scheduling?.tolerations ?? [], at.child('tolerations')),
    ]
  },
  validateChange: ({ handler }, old) => validateImmutable(handler, old.handler, new Path('handler')),
}

function tolerationErrors(tolerations: readonly Toleration[], path: Path): FieldError[] {
  const keys = tolerations.map(({ key, operator, value, effect }) => JSON.stringify([key, operator, value, effect]))
  return [
    // the real server names them so
    ...validateTolerations(tolerations, path.child('tolerations')),
    ...tolerations.flatMap((toleration, index) =>
      keys.indexOf(keys[index] ?? '') < index ? [duplicate(path.index(index), goShape(toleration, 'core.v1.Toleration'))] : [],
    ),
  ]
}
