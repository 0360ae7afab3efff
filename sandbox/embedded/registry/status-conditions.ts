import type { Condition } from '../schema/types/meta.v1.ts'
import { duplicate, type FieldError, invalid, notSupported, type Path, required, tooLong } from './field.ts'
import { isQualifiedName } from './names.ts'

const longestReason = 1024
const longestMessage = 32 * 1024
const reason = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/
const badReason = `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${reason.source.slice(1, -1)}')`

/** The conditions that many kinds have alike. Source: ValidateConditions in apimachinery's meta/v1/validation. */
export function validateConditions(given: readonly Condition[] | null | undefined, path: Path): FieldError[] {
  const conditions = given ?? []
  const types = conditions.map(({ type = '' }) => type)
  return conditions.flatMap((condition, index) => {
    const at = path.index(index)
    const { type = '', status = '', observedGeneration = 0, lastTransitionTime, reason: why = '', message = '' } = condition
    const errors = types.indexOf(type) < index ? [duplicate(at.child('type'), type)] : []
    errors.push(...isQualifiedName(type).map((text) => invalid(at.child('type'), type, text)))
    if (!['False', 'True', 'Unknown'].includes(status)) errors.push(notSupported(at.child('status'), status, ['False', 'True', 'Unknown']))
    if (observedGeneration < 0) {
      errors.push(invalid(at.child('observedGeneration'), observedGeneration, 'must be greater than or equal to zero'))
    }
    if (!lastTransitionTime) errors.push(required(at.child('lastTransitionTime')))
    if (why === '') errors.push(required(at.child('reason')))
    else {
      if (!reason.test(why)) errors.push(invalid(at.child('reason'), why, badReason))
      if (Buffer.byteLength(why) > longestReason) errors.push(tooLong(at.child('reason'), longestReason))
    }
    if (Buffer.byteLength(message) > longestMessage) errors.push(tooLong(at.child('message'), longestMessage))
    return errors
  })
}
