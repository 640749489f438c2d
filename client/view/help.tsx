/** The keys of a view, in a dialog. */
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Keys, apart by spaces, and what they do. */
export type Keys = readonly (readonly [keys: string, words: string])[];

const OF_EVERY_VIEW: Keys = [['?', 'this help'], ['Esc', 'close it']];

export function Help({ keys, close }: { readonly keys: Keys; readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={close}>
      <h2 id="help-title">Keys</h2>
      <dl>{[...keys, ...OF_EVERY_VIEW].map(([key, words]) => <div key={key}><dt>{key.split(' ').map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{words}</dd></div>)}</dl>
      <form method="dialog"><button type="submit">Close</button></form>
    </dialog>
  );
}
