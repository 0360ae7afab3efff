import { isIP } from 'node:net'
import type { Node, Taint } from '../../schema/types/core.v1.ts'
import { cidrErrors } from '../addresses.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, metadataPath, type Path, required, specPath } from '../field.ts'
import { goShape } from '../go-shape.ts'
import { validateEnum } from '../metadata.ts'
import { isLabelValue } from '../names.ts'
import { qualified } from '../pod-placement.ts'

/** pkg/apis/core: conversion, defaults, strategy and validation of Nodes. */
export const nodeRules: Partial<Definition<Node>> = {
  default(node) {
    const status = (node.status ??= {})
    if (status.capacity) status.allocatable ??= { ...status.capacity }
    alignBlocks(node)
  },
  keepsStatusOnCreate: true,
  prepareForCreate({ spec, status }) {
    // of DynamicKubeletConfig, which is gone
    delete spec?.configSource
    delete status?.config
  },
  validate({ spec }) {
    const blocks = spec?.podCIDRs ?? []
    const at = specPath.child('podCIDRs')
    const families = new Set(blocks.map((cidr) => isIP(cidr.split('/')[0] ?? '')))
    const isPair = blocks.length === 2 && families.size === 2
    return [
      ...taintErrors(spec?.taints ?? [], metadataPath.child('taints')),
      ...blocks.flatMap((cidr, index) => cidrErrors(cidr, at.index(index))),
      ...(blocks.length > 1 && !isPair ? [invalid(at, blocks, 'may specify no more than one CIDR for each IP family')] : []),
    ]
  },
  validateChange({ spec }, old) {
    const fixed = (field: string, what: string) =>
      forbidden(specPath.child(field), `node updates may not change ${what} except from "" to valid`)
    const [blocks, before] = [spec?.podCIDRs ?? [], old.spec?.podCIDRs ?? []]
    const isMoved = before.length > 0 && blocks.length !== before.length
    return [
      ...(isMoved
        ? [fixed('podCIDRs', 'podCIDR')]
        : before.flatMap((cidr, index) => (cidr === blocks[index] ? [] : [fixed('podCIDRs', 'podCIDR')]))),
      ...(old.spec?.providerID && old.spec.providerID !== spec?.providerID ? [fixed('providerID', 'providerID')] : []),
    ]
  },
  fieldSelectors: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
}

/** The one block of older clients is the first of the list; where they differ the older field is believed. */
function alignBlocks({ spec }: Node): void {
  if (!spec) return
  const [first] = spec.podCIDRs ?? []
  if (spec.podCIDR && first !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR]
  else if (!spec.podCIDR && first) spec.podCIDR = first
}

function taintErrors(taints: readonly Taint[], path: Path): FieldError[] {
  return taints.flatMap((taint, index) => {
    const { key = '', value = '', effect } = taint
    const at = path.index(index)
    const bad = isLabelValue(value)
    const repeated = taints.findIndex((other) => (other.key ?? '') === key && other.effect === effect) < index
    const same = duplicate(at, goShape(taint, 'core.v1.Taint'))
    return [
      ...qualified(key, at.child('key')),
      ...(bad.length > 0 ? [invalid(at.child('value'), value, bad.join(';'))] : []),
      ...(effect
        ? validateEnum(effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'], at.child('effect'))
        : [required(at.child('effect'))]),
      ...(repeated ? [{ ...same, message: `${same.message}: taints must be unique by key and effect pair` }] : []),
    ]
  })
}
