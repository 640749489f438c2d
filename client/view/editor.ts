/** The editor around a web view: messages out and in, and the state that survives a reload. */

interface EditorApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): EditorApi;

export interface Editor<Out, In, State> {
  tell(message: Out): void;
  /** Calls `receive` for every message that is one of the protocol; others are dropped. */
  listen(receive: (message: In) => void): void;
  saveState(state: State): void;
  savedState(): State | null;
}

/** @param read the message if it is one that the client sends, else null */
export function editor<Out, In, State extends { readonly uri: string }>(read: (message: unknown) => In | null): Editor<Out, In, State> {
  const api = acquireVsCodeApi();
  return {
    tell: (message) => api.postMessage(message),
    listen: (receive) => window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      const message = read(data);
      if (message) receive(message);
    }),
    saveState: (state) => api.setState(state),
    savedState: () => {
      const state = api.getState();
      return typeof state === 'object' && state !== null && 'uri' in state && typeof state.uri === 'string' ? (state as State) : null;
    },
  };
}
