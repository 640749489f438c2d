/** The editor around the view: messages out and in, and the state that survives a reload. */
import { toView, type FromView, type ToView, type ViewState } from '../../server/protocol.js';

interface EditorApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): EditorApi;

const api = acquireVsCodeApi();

export const tell = (message: FromView): void => api.postMessage(message);

/** Calls `receive` for every message that is one of the protocol; others are dropped. */
export function listen(receive: (message: ToView) => void): void {
  window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    const message = toView(data);
    if (message) receive(message);
  });
}

export const saveState = (state: ViewState): void => api.setState(state);

export function savedState(): ViewState | null {
  const state = api.getState();
  return typeof state === 'object' && state !== null && 'uri' in state && typeof state.uri === 'string' ? (state as ViewState) : null;
}
