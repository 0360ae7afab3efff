import { coreSpecimens } from './core.ts'
import { otherSpecimens } from './others.ts'
import { podSpecimens } from './pods.ts'
import type { Specimen } from './specimen.ts'
import { workloadSpecimens } from './workloads.ts'

export type { Fields, Specimen } from './specimen.ts'

/** At least one of each kind that a 1.34 server serves by default and that can be created. */
export const specimens: readonly Specimen[] = [...coreSpecimens, ...podSpecimens, ...workloadSpecimens, ...otherSpecimens]
