/** The trace of one action: a table of its steps. */
import type { ActionView, PlaceView, TraceStepView } from '../../server/protocol.js';
import { padWord } from './bits.js';
import type { Move } from './model.js';
import { VirtualRows } from './virtual.js';
import { SIGNS, toneOfVerdict, verdictWord } from './words.js';

const ROW_HEIGHT = 44;
const HEADER_HEIGHT = 24;
const MOVES: Readonly<Record<string, Move>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

interface Properties {
  readonly action: ActionView;
  readonly visible: readonly number[];
  readonly step: number;
  readonly selectStep: (step: number) => void;
  readonly moveStep: (by: Move) => void;
  readonly reveal: (place: PlaceView | undefined, focus: boolean) => void;
}

export function Steps({ action, visible, step, selectStep, moveStep, reveal }: Properties) {
  const active = visible.indexOf(step);
  const onKeyDown = (event: KeyboardEvent) => {
    const by = MOVES[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    moveStep(by);
  };
  const header = (
    <div class="step header" role="row" aria-rowindex={1}>
      <span role="columnheader">#</span><span role="columnheader">Step</span><span role="columnheader" class="address">Address</span><span role="columnheader" class="value">Raw value</span>
      <span role="columnheader" class="permission" title="Permission so far">Perm.</span><span role="columnheader" class="place">Line</span>
    </div>
  );
  return (
    <VirtualRows
      count={visible.length} rowHeight={ROW_HEIGHT} active={active} header={header} headerHeight={HEADER_HEIGHT}
      attributes={{ 'class': 'scroll steps', 'role': 'grid', 'tabindex': 0, 'aria-label': 'Trace', 'aria-rowcount': visible.length + 1, 'aria-activedescendant': active >= 0 ? stepId(step) : undefined, onKeyDown }}
      row={(index, style) => {
        const number = visible[index]!;
        const shown = action.trace[number]!;
        const choose = () => { selectStep(number); reveal(shown.place, false); };
        return <StepRow key={number} step={shown} number={number} row={index + 2} selected={number === step} style={style} choose={choose} reveal={reveal} />;
      }}
    />
  );
}

const stepId = (step: number): string => `step-${step}`;

interface RowProperties {
  readonly step: TraceStepView;
  readonly number: number;
  readonly row: number;
  readonly selected: boolean;
  readonly style: { readonly top: string; readonly height: string };
  readonly choose: () => void;
  readonly reveal: (place: PlaceView | undefined, focus: boolean) => void;
}

function StepRow({ step, number, row, selected, style, choose, reveal }: RowProperties) {
  const tone = toneOfVerdict(step.verdict);
  const { place, words = [] } = step;
  return (
    <div id={stepId(number)} class={`step ${step.kind} ${tone}`} role="row" aria-rowindex={row} aria-selected={selected} style={style} onClick={choose}>
      <span role="gridcell" class="number">{number + 1}</span>
      <span role="gridcell" class="what">
        <span class="first"><span class="sign" aria-hidden="true">{SIGNS[tone]}</span><b>{titleOf(step)}</b></span>
        <span class="second" title={step.text}>{step.kind === 'read' ? fieldsInShort(step) : wordsBelow(step)}</span>
      </span>
      <span role="gridcell" class="address">{step.address}</span>
      <span role="gridcell" class="value">{words.slice(0, 2).map((word) => <span key={word}>{padWord(word)}</span>)}</span>
      <span role="gridcell" class="permission">{step.permission && <Permission text={step.permission} />}</span>
      <span role="gridcell" class="place">
        {place && <button type="button" class="link" tabindex={-1} aria-label={`Go to line ${place.range.start.line + 1}`} onClick={(event) => { event.stopPropagation(); reveal(place, true); }}>{place.range.start.line + 1}</button>}
      </span>
    </div>
  );
}

const titleOf = ({ kind, entry, text, index }: TraceStepView): string =>
  kind === 'read' && entry ? (index === undefined ? entry : `${entry} ${index}`) : text;

const fieldsInShort = ({ stage, fields = [], text }: TraceStepView): string =>
  [stage ?? '', ...fields.map(({ name, value }) => `${name} ${shortHex(value)}`)].filter(Boolean).join('  ') || text;

/** One digit needs no `0x`. */
const shortHex = (value: string): string => value.replace(/^0x(?=\d$)/, '');

const wordsBelow = ({ messages = [], rules, verdict }: TraceStepView): string =>
  messages[0] ?? [verdictWord(verdict), ...rules].filter(Boolean).join(' · ');

export function Permission({ text }: { readonly text: string }) {
  const words = `${text.includes('r') ? 'readable' : 'not readable'}, ${text.includes('w') ? 'writable' : 'not writable'}`;
  return <span class={`perm ${text === '--' ? 'bad' : ''}`} title={words}><span aria-hidden="true">{text}</span><span class="for-ears">{words}</span></span>;
}
