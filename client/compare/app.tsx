/** The view as a whole: list of steps, two drawings stepped together, what differs, keys. */
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import type { PlaceView } from '../../server/protocol.js';
import { comparisonSvg } from '../../server/protocol-compare-svg.js';
import type { ToCompareView } from '../../server/protocol-compare.js';
import { Details } from './details.js';
import { listen, saveState, savedState, tell } from './editor.js';
import { Help } from '../view/help.js';
import { KEYS } from './keys.js';
import { EMPTY, change, rowOf, runOf, type Change, type Model } from './model.js';
import { Side } from './side.js';
import { StepList } from './step-list.js';
import { Toolbar } from './toolbar.js';

export function App() {
  const [model, dispatch] = useReducer<Model, Change>(change, EMPTY);
  const [help, setHelp] = useState(false);
  useEffect(() => {
    listen((message) => dispatch(changeOf(message)));
    tell({ type: 'ready' });
  }, []);
  const { comparison, row } = model;
  const run = runOf(model);
  useEffect(() => {
    if (comparison) saveState({ uri: comparison.uri, models: [comparison.models[0].name, comparison.models[1].name], run: run?.name, row });
  }, [comparison, run, row]);

  const commands = commandsOf(model, dispatch, () => setHelp(true));
  // Before the next key can arrive, not after the next paint: the keys of one burst must see each other's steps.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => onShortcut(event, commands);
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });

  if (!comparison) return <main class="empty"><p role="status">{model.reason || 'Waiting for the comparison …'}</p></main>;
  const chosen = rowOf(model);
  return (
    <div class="app">
      <Toolbar model={model} commands={commands} dispatch={dispatch} />
      {run && chosen ? (
        <div class="columns">
          <StepList run={run} row={row} select={(index) => dispatch({ type: 'row', row: index })} reveal={commands.reveal} />
          <main>
            <div class="sides">
              {([0, 1] as const).map((side) => (
                <Side key={side} model={comparison.models[side]} side={run.sides[side]} calls={chosen.sides[side].calls} row={row} chosen={model.box?.side === side ? model.box.box : -1} choose={(box) => dispatch({ type: 'box', box: box < 0 ? null : { side, box } })} />
              ))}
            </div>
            <Details comparison={comparison} run={run} row={row} box={model.box} reveal={reveal} goTo={(index) => dispatch({ type: 'row', row: index })} />
          </main>
        </div>
      ) : <p class="nothing" role="status">This file runs nothing: add a VM, a process, a scenario or a DMA.</p>}
      <p class="for-ears" role="status" aria-live="polite">{chosen && `Step ${row + 1} of ${run!.rows.length}: ${chosen.text}. ${chosen.differences.length === 0 ? 'No difference.' : chosen.differences.map(({ text }) => text).join('. ')}`}</p>
      {help && <Help keys={KEYS} close={() => setHelp(false)} />}
    </div>
  );
}

function changeOf(message: ToCompareView): Change {
  return message.type === 'show' ? { type: 'show', comparison: message.comparison, run: message.run, saved: savedState() } : { type: 'empty', reason: message.reason };
}

function reveal(place: PlaceView | undefined, focus: boolean): void {
  if (place) tell({ type: 'reveal', place, focus });
}

export interface Commands {
  readonly next: () => void;
  readonly previous: () => void;
  readonly first: () => void;
  readonly last: () => void;
  readonly nextDifference: () => void;
  readonly previousDifference: () => void;
  readonly reveal: () => void;
  readonly save: () => void;
  readonly help: () => void;
}

function commandsOf(model: Model, dispatch: (event: Change) => void, help: () => void): Commands {
  return {
    next: () => dispatch({ type: 'move', by: 1 }),
    previous: () => dispatch({ type: 'move', by: -1 }),
    first: () => dispatch({ type: 'move', by: -Infinity }),
    last: () => dispatch({ type: 'move', by: Infinity }),
    nextDifference: () => dispatch({ type: 'difference', forward: true }),
    previousDifference: () => dispatch({ type: 'difference', forward: false }),
    reveal: () => reveal(rowOf(model)?.place, true),
    save: () => {
      const run = runOf(model);
      if (model.comparison && run) tell({ type: 'save', name: `${run.name.replace(/[^\w.-]+/g, '-')}-${model.row + 1}.svg`, text: comparisonSvg(model.comparison, run, model.row) });
    },
    help,
  };
}

const SHORTCUTS: Readonly<Record<string, keyof Commands>> = {
  'ArrowRight': 'next', 'ArrowDown': 'next', 'n': 'next', 'ArrowLeft': 'previous', 'ArrowUp': 'previous', 'p': 'previous', 'Home': 'first', 'End': 'last', 'd': 'nextDifference', 'D': 'previousDifference', 's': 'save', '?': 'help', 'Enter': 'reveal',
};

/** Keys with a modifier belong to the editor, keys in a control to that control. */
function onShortcut(event: KeyboardEvent, commands: Commands): void {
  const command = SHORTCUTS[event.key];
  const target = event.target instanceof Element ? event.target.closest('select, dialog, input, button, [role=button], [data-scrolls]') : null;
  if (!command || event.ctrlKey || event.metaKey || event.altKey || target?.matches('select, dialog, input')) return;
  if (event.key === 'Enter' && target) return;
  if (target?.matches('[data-scrolls]') && /^Arrow|Home|End/.test(event.key)) return;
  event.preventDefault();
  commands[command]();
}
