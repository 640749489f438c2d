/** The view as a whole: list, selected action, keys. */
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import type { PlaceView, ToView } from '../../server/protocol.js';
import { Action } from './action.js';
import { asText } from './as-text.js';
import { listen, saveState, savedState, tell } from './editor.js';
import { Groups } from './groups.js';
import { Help } from '../view/help.js';
import { KEYS } from './keys.js';
import { EMPTY, actionOf, change, type Change, type Model } from './model.js';
import { RowList } from './row-list.js';
import { standaloneSvg } from './svg-export.js';

export function App() {
  const [model, dispatch] = useReducer<Model, Change>(change, EMPTY);
  const [help, setHelp] = useState(false);
  useEffect(() => {
    listen((message) => dispatch(changeOf(message)));
    tell({ type: 'ready' });
  }, []);
  useEffect(() => {
    if (model.simulation) saveState({ uri: model.simulation.uri, action: model.rows[model.row]?.id, step: model.step, group: model.group });
  }, [model.simulation, model.row, model.step, model.group]);

  const commands = commandsOf(model, dispatch, () => setHelp(true));
  // Before the next key can arrive, not after the next paint: the keys of one burst must see each other's steps.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => onShortcut(event, commands);
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });

  if (!model.simulation) return <main class="empty"><p role="status">{model.reason || 'Waiting for the simulation …'}</p></main>;
  const row = model.rows[model.row];
  const action = actionOf(model);
  return (
    <div class="app">
      <Toolbar model={model} commands={commands} />
      <div class="columns">
        <RowList model={model} select={(index) => dispatch({ type: 'row', row: index })} move={(by) => dispatch({ type: 'move-row', by })} reveal={commands.reveal} />
        <main>
          <Stopped model={model} />
          {action && (
            <Action
              action={action} step={model.step} stage={model.stage} reveal={reveal} selectStep={(step) => dispatch({ type: 'step', step })}
              moveStep={(by) => dispatch({ type: 'move-step', by })} selectStage={(stage) => dispatch({ type: 'stage', stage })}
            />
          )}
          {row?.kind === 'host' && <Groups host={row.host} chosen={model.group} choose={(group) => dispatch({ type: 'group', group })} reveal={reveal} />}
          {!row && <p class="nothing" role="status">This file describes nothing to simulate yet.</p>}
        </main>
      </div>
      <p class="for-ears" role="status" aria-live="polite">{action?.trace[model.step] && `Step ${model.step + 1} of ${action.trace.length}: ${action.trace[model.step]!.text}`}</p>
      {help && <Help keys={KEYS} close={() => setHelp(false)} />}
    </div>
  );
}

function changeOf(message: ToView): Change {
  switch (message.type) {
    case 'show': return { type: 'show', simulation: message.simulation, select: message.select, saved: savedState() };
    case 'select': return { type: 'select', id: message.action };
    case 'empty': return { type: 'empty', reason: message.reason };
  }
}

function reveal(place: PlaceView | undefined, focus: boolean): void {
  if (place) tell({ type: 'reveal', place, focus });
}

interface Commands {
  readonly next: () => void;
  readonly previous: () => void;
  readonly first: () => void;
  readonly last: () => void;
  readonly fault: () => void;
  readonly reveal: () => void;
  readonly copy: () => void;
  readonly save: () => void;
  readonly help: () => void;
}

function commandsOf(model: Model, dispatch: (event: Change) => void, help: () => void): Commands {
  const action = actionOf(model);
  return {
    next: () => dispatch({ type: 'move-step', by: 1 }),
    previous: () => dispatch({ type: 'move-step', by: -1 }),
    first: () => dispatch({ type: 'move-step', by: -Infinity }),
    last: () => dispatch({ type: 'move-step', by: Infinity }),
    fault: () => dispatch({ type: 'first-fault' }),
    reveal: () => reveal(action?.trace[model.step]?.place ?? action?.place, true),
    copy: () => { if (action) tell({ type: 'copy', text: asText(action) }); },
    save: () => {
      const drawing = document.querySelector<SVGSVGElement>('svg.drawing');
      const row = model.rows[model.row];
      if (drawing && row) tell({ type: 'save', name: `${row.id.replace(/[^\w.-]+/g, '-')}.svg`, text: standaloneSvg(drawing) });
    },
    help,
  };
}

const SHORTCUTS: Readonly<Record<string, keyof Commands>> = { 'n': 'next', 'p': 'previous', 'f': 'fault', 'c': 'copy', '?': 'help', 'Home': 'first', 'End': 'last', 'Enter': 'reveal' };

/** Keys with a modifier belong to the editor, keys in a control to that control. */
function onShortcut(event: KeyboardEvent, commands: Commands): void {
  const command = SHORTCUTS[event.key];
  const target = event.target instanceof Element ? event.target.closest('select, dialog, input, button') : null;
  if (!command || event.ctrlKey || event.metaKey || event.altKey || target?.matches('select, dialog, input')) return;
  if (event.key === 'Enter' && target) return;
  event.preventDefault();
  commands[command]();
}

function Toolbar({ model, commands }: { readonly model: Model; readonly commands: Commands }) {
  const action = actionOf(model);
  const { bad, all } = countOf(model);
  return (
    <div class="toolbar" role="toolbar" aria-label="Trace">
      <strong class="title" title={model.simulation!.uri}>{model.simulation!.title}</strong>
      <span class="tally">{all} {all === 1 ? 'action' : 'actions'}{bad > 0 && <span class="bad">, {bad} bad</span>}</span>
      <span class="gap" />
      <button type="button" onClick={commands.previous} disabled={!action?.trace.length} title="Previous step (p)">‹<span class="for-ears"> Previous step</span></button>
      <button type="button" onClick={commands.next} disabled={!action?.trace.length} title="Next step (n)">›<span class="for-ears"> Next step</span></button>
      <button type="button" onClick={commands.fault} title="Go to the first fault (f)">First fault</button>
      <button type="button" onClick={commands.copy} disabled={!action} title="Copy the action as text (c)">Copy</button>
      <button type="button" onClick={commands.save} disabled={model.rows[model.row]?.kind !== 'host' && !action?.path.length} title="Save the drawing as an SVG file">SVG</button>
      <button type="button" onClick={commands.help} title="Keys (?)">?<span class="for-ears"> Keys</span></button>
    </div>
  );
}

function countOf({ simulation }: Model): { readonly bad: number; readonly all: number } {
  let bad = 0, all = 0;
  for (const { actions } of simulation?.runs ?? []) {
    all += actions.length;
    for (const { good } of actions) if (!good) bad += 1;
  }
  return { bad, all };
}

function Stopped({ model }: { readonly model: Model }) {
  const stopped = model.simulation?.runs.filter((run) => run.stopped !== undefined) ?? [];
  return <>{stopped.map(({ name, stopped: why }) => <p key={name} class="stopped" role="alert">{name} stopped: {why}</p>)}</>;
}
