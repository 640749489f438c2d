/** The keys of the view. */
import { useLayoutEffect, useRef } from 'preact/hooks';

const KEYS: readonly (readonly [string, string])[] = [
  ['↑ ↓', 'previous or next row of the list or of the trace'],
  ['n p', 'next or previous step'],
  ['f', 'the first fault'],
  ['Home End', 'first or last'],
  ['Enter', 'go to the line in the file'],
  ['c', 'copy as text'],
  ['Tab', 'list, path, trace, selected step'],
  ['?', 'this help'],
  ['Esc', 'close it'],
];

export function Help({ close }: { readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={close}>
      <h2 id="help-title">Keys</h2>
      <dl>{KEYS.map(([key, words]) => <div key={key}><dt>{key.split(' ').map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{words}</dd></div>)}</dl>
      <form method="dialog"><button type="submit">Close</button></form>
    </dialog>
  );
}
