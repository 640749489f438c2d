/**
 * Bounds of one simulation. A file that asks for more gets a run that says so (`RunReport.stopped`), never a hang.
 */
import { ResourceLimit } from '../memory/physical-memory.js';

/** Steps, DMAs and questions of one run. */
export const MAX_ACTIONS = 100_000;

/** Bytes of one DMA: 16 MiB are 4096 requests, because none crosses a 4 KiB boundary (GEN-01). */
export const MAX_DMA_SIZE = 1n << 24n;

/** Mappings of a domain that a report lists; `DomainState.total` says how many there are. */
export const MAX_REPORTED_RUNS = 512;

/** Trace events that one step or DMA keeps; the first ones matter. */
export const MAX_TRACE_EVENTS = 10_000;

/** A bound was hit: ends the run with these words. */
export class RunStopped extends Error {}

/** Runs the work of one statement; whatever ends the run there says at which statement. */
export function during<T>(statement: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RunStopped || error instanceof ResourceLimit) throw new RunStopped(`${error.message}, at \`${statement}\``);
    throw new RunStopped(`the simulation failed at \`${statement}\`: ${error instanceof Error ? error.message : String(error)}`);
  }
}
