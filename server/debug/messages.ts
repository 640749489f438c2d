/**
 * The part of the Debug Adapter Protocol (version 1.71) that a simulation needs. Names and meanings are the protocol's; lines
 * and columns are as the client counts them.
 */
import type { DebugMessage } from '../protocol-debug.js';

export interface DapRequest extends DebugMessage {
  readonly type: 'request';
  readonly command: string;
  readonly arguments?: unknown;
}

export interface DapResponse extends DebugMessage {
  readonly type: 'response';
  readonly request_seq: number;
  readonly command: string;
  readonly success: boolean;
  readonly message?: string;
  readonly body?: unknown;
}

export interface DapEvent extends DebugMessage {
  readonly type: 'event';
  readonly event: string;
  readonly body?: unknown;
}

export interface Source {
  readonly name: string;
  /** A URI: this way it means the same in a browser. */
  readonly path: string;
}

export interface StackFrame {
  readonly id: number;
  readonly name: string;
  readonly source?: Source;
  readonly line: number;
  readonly column: number;
}

export interface Scope {
  readonly name: string;
  readonly variablesReference: number;
  readonly namedVariables?: number;
  readonly expensive: boolean;
}

export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  /** 0: nothing inside. */
  readonly variablesReference: number;
  readonly indexedVariables?: number;
}

export interface Breakpoint {
  readonly id: number;
  readonly verified: boolean;
  readonly message?: string;
  readonly source?: Source;
  readonly line?: number;
  readonly column?: number;
}

export interface ExceptionFilter {
  readonly filter: string;
  readonly label: string;
  readonly description: string;
  readonly default: boolean;
}

/** An error of a request, in words for the person. */
export class RequestError extends Error {}
