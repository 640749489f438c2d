/** What a way of forming groups looks at and decides; the ways themselves stand beside it. */
import type { FunctionDescription } from '../description.js';
import type { AliasKnowledge, AliasPeers } from '../fabric/aliases.js';
import type { Topology } from '../fabric/topology.js';
import type { GroupReason } from '../report.js';
import type { AcsQuestions } from './acs.js';

/** Whose group a function joins; null: a new one. */
export interface GroupDecision {
  readonly joins: FunctionDescription | null;
  /** In words, in order. A method because few are ever read: a host has as many as functions. */
  reasons(): readonly GroupReason[];
  /** Not decided yet: it is asked again when this function has a group. */
  readonly waitsFor?: FunctionDescription;
  /** What the kernel logs about the waiting. */
  readonly message?: string;
}

/** What a grouping algorithm may look at. */
export interface GroupingView {
  readonly topology: Topology;
  readonly acs: AcsQuestions;
  readonly aliases: AliasKnowledge;
  readonly peers: AliasPeers;
  /** How an `unknown` about a function is read in this run. */
  unknownIsolates(fn: FunctionDescription): boolean;
  hasGroup(fn: FunctionDescription): boolean;
}

/** Asked once per function in probe order, and again only where it made the function wait; what it decides is carried out before it is asked again. */
export interface GroupingAlgorithm {
  decide(fn: FunctionDescription): GroupDecision;
}

/** GRL-07: a device with ENODEV is passed over; any other errno ends the scan, and the unit goes again. */
export interface GroupRefusal {
  readonly errno: 'ENODEV' | 'EINVAL' | 'ENOENT';
  readonly why: string;
  /** In the log, after the device's name. */
  readonly message?: string;
}
