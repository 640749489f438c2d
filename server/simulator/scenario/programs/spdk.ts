/**
 * SPDK, as of version 25: DPDK's calls, and its own list of registered memory, which it maps into the same container when the
 * first of its devices is there. DPDK has mapped the same ranges by then; SPDK notes the refusal and goes on.
 */
import type { Calls, Task } from './steps.js';
import { mapAll } from './steps.js';
import { setUp } from './dpdk.js';

export function* spdk(task: Task): Calls {
  let first = true;
  yield* setUp(task, function* (container) {
    if (first) yield* mapAll(task, container, true);
    first = false;
  });
}
