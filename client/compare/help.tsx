/** The keys of the view. */
import { useLayoutEffect, useRef } from 'preact/hooks';

const KEYS: readonly (readonly [string, string])[] = [
  ['← →', 'previous or next step, in both models'],
  ['d D', 'next or previous step at which they differ'],
  ['Home End', 'first or last step'],
  ['Enter', 'go to the line in the file; on a box, show what it is'],
  ['s', 'save this step as an SVG file'],
  ['Tab', 'steps, boxes of both drawings, what differs'],
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
