/** How the debugger's messages (Debug Adapter Protocol) travel between the editor and the server. */

/** A message of the editor for one session; the answer is every message that it leads to, in order. */
export const DEBUG_REQUEST = 'iommu/debug';

export interface DebugParams {
  /** The editor's identity of the session; a session begins with its first message and ends with `disconnect`. */
  readonly session: string;
  readonly message: DebugMessage;
}

/** What all messages of the protocol have in common. */
export interface DebugMessage {
  readonly seq: number;
  readonly type: 'request' | 'response' | 'event';
}
