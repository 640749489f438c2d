/** Access Control Services as the hardware obeys them (section 1.4): registers, and what a port decides about one request. */
import type { FunctionDescription } from '../description.js';

/** Bits of capability and control (PCIE-30 ..). */
export const AcsBit = { sourceValidation: 0x01, translationBlocking: 0x02, requestRedirect: 0x04, completionRedirect: 0x08, upstreamForwarding: 0x10, egressControl: 0x20, directTranslated: 0x40 } as const;

export interface AcsRegister {
  readonly capability: number;
  readonly control: number;
  /** Egress control vector: bit n set = requests for the peer in slot n are not allowed to go there directly. Absent: all clear. */
  readonly egressVector?: number;
}

/** The registers of a running machine. */
export interface AcsRegisters {
  /** null: the function has no ACS. */
  of(fn: FunctionDescription): AcsRegister | null;
}

/** How an address in a request is meant: AT 00, 01, 10. */
export type AddressKind = 'untranslated' | 'translation-request' | 'translated';

export interface AcsDecision {
  readonly way: 'direct' | 'redirected' | 'violation';
  /** What decided, to follow the port's name. */
  readonly because: string;
  readonly rules: readonly string[];
}

const on = (register: AcsRegister | null, bit: number): boolean => register !== null && (register.control & bit) !== 0;

/** PCIE-30: what is checked before routing. null: the request passes. */
export function ingressViolation(register: AcsRegister | null, addressKind: AddressKind, knowsRequester: boolean): AcsDecision | null {
  if (on(register, AcsBit.sourceValidation) && !knowsRequester) return { way: 'violation', because: 'validates sources (ACS SV) and the requester ID names a bus that is not below it', rules: ['PCIE-30', 'PCIE-34'] };
  if (on(register, AcsBit.translationBlocking) && addressKind !== 'untranslated') return { way: 'violation', because: 'blocks requests that are not untranslated (ACS TB)', rules: ['PCIE-30', 'PCIE-11', 'PCIE-34'] };
  return null;
}

/**
 * A request that could go to a peer directly: the table of PCIE-31, and PCIE-32 for translated addresses. A translation request is
 * routed like any other (PCIE-33).
 * @param slot the peer's slot, its bit in the egress control vector
 */
export function peerDecision(register: AcsRegister | null, addressKind: AddressKind, slot: number): AcsDecision {
  if (register === null) return { way: 'direct', because: 'has no ACS', rules: ['PCIE-31'] };
  if (addressKind === 'translated' && on(register, AcsBit.directTranslated)) return { way: 'direct', because: 'lets translated requests pass to peers (ACS DT)', rules: ['PCIE-32'] };
  const redirects = on(register, AcsBit.requestRedirect);
  const forbidden = (((register.egressVector ?? 0) >>> slot) & 1) === 1;
  if (!on(register, AcsBit.egressControl)) {
    return redirects ? { way: 'redirected', because: 'redirects requests for peers (ACS RR)', rules: ['PCIE-31'] } : { way: 'direct', because: 'does not redirect requests for peers (ACS RR off)', rules: ['PCIE-31'] };
  }
  if (!forbidden) return { way: 'direct', because: 'allows this peer in its egress control vector (ACS EC)', rules: ['PCIE-31'] };
  return redirects
    ? { way: 'redirected', because: 'redirects what its egress control vector forbids (ACS EC, RR)', rules: ['PCIE-31'] }
    : { way: 'violation', because: 'forbids this peer in its egress control vector (ACS EC)', rules: ['PCIE-31', 'PCIE-34'] };
}

/** PCIE-37: a request that came up through a port may leave upwards although its target is below the same port. */
export const forwardsUpstream = (register: AcsRegister | null): boolean => on(register, AcsBit.upstreamForwarding);
