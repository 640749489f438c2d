/**
 * Where bridges lead of which no bus numbers were shown: a guess, from how firmware and Linux number buses. Each bridge takes the next
 * number when it is reached, also with nothing behind it, and all that is below it is numbered before the next bridge of its own bus. Ports
 * that keep numbers for hot-plugging break the order, and so what is guessed is to be marked as such.
 */
import type { FunctionFacts } from './facts.js';

const BRIDGE_CLASS = 0x0604;
/** What only root buses have: host bridges, IOMMUs. */
const ROOT_CLASSES: ReadonlySet<number> = new Set([0x0600, 0x0806]);

const isBridge = (facts: FunctionFacts): boolean => facts.bridge === true || (facts.classCode ?? 0) >> 8 === BRIDGE_CLASS;
const isOfRoot = ({ classCode }: FunctionFacts): boolean => classCode !== undefined && ROOT_CLASSES.has(classCode >> 8);

/** @returns by bus of the segment: the bridge that would lead to it. Buses that a bridge is known to lead to are not among them. */
export function guessBuses(segment: readonly FunctionFacts[], isLed: (bus: number) => boolean): Map<number, FunctionFacts> {
  const onBus = new Map<number, FunctionFacts[]>();
  for (const facts of segment) {
    const list = onBus.get(facts.address.bus);
    if (list === undefined) onBus.set(facts.address.bus, [facts]);
    else list.push(facts);
  }
  const guessed = new Map<number, FunctionFacts>();
  let next = 1;
  /* Only ever upwards in bus numbers: no bus is visited twice. */
  const visit = (bus: number): void => {
    for (const facts of onBus.get(bus) ?? []) {
      if (!isBridge(facts)) continue;
      const secondary = facts.buses?.secondary ?? next;
      if (secondary < next) continue;
      next = secondary + 1;
      const below = onBus.get(secondary);
      if (facts.buses === undefined && below !== undefined && !isLed(secondary) && !below.some(isOfRoot)) guessed.set(secondary, facts);
      if (facts.buses !== undefined || guessed.get(secondary) === facts) visit(secondary);
      next = Math.max(next, (facts.buses?.subordinate ?? 0) + 1);
    }
  };
  visit(0);
  return guessed;
}
