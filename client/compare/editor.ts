/** The editor around the view: messages out and in, and the state that survives a reload. */
import { toCompareView, type CompareState, type FromCompareView, type ToCompareView } from '../../server/protocol-compare.js';

interface EditorApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): EditorApi;

const api = acquireVsCodeApi();

export const tell = (message: FromCompareView): void => api.postMessage(message);

/** Calls `receive` for every message that is one of the protocol; others are dropped. */
export function listen(receive: (message: ToCompareView) => void): void {
  window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    const message = toCompareView(data);
    if (message) receive(message);
  });
}

export const saveState = (state: CompareState): void => api.setState(state);

export function savedState(): CompareState | null {
  const state = api.getState();
  return typeof state === 'object' && state !== null && 'uri' in state && typeof state.uri === 'string' ? (state as CompareState) : null;
}
