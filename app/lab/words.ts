import type en from '../messages/en.json'

export type BenchWords = (typeof en)['bench']
export type LeaseWords = (typeof en)['lease']
export type ClockWords = (typeof en)['clock']
export type LabWords = (typeof en)['lab']
export type ClusterWords = (typeof en)['cluster']
