/** The list of hosts, runs and their actions. */
import type { Model, Move, Row } from './model.js';
import { VirtualRows } from './virtual.js';
import { SIGNS, TONE_WORDS, outcomeOf, toneOf } from './words.js';

const ROW_HEIGHT = 28;
const MOVES: Readonly<Record<string, Move>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

interface Properties {
  readonly model: Model;
  readonly select: (row: number) => void;
  readonly move: (by: Move) => void;
  readonly reveal: () => void;
}

export function RowList({ model, select, move, reveal }: Properties) {
  const { rows, row: selected } = model;
  const onKeyDown = (event: KeyboardEvent) => {
    const by = MOVES[event.key];
    if (by === undefined && event.key !== 'Enter') return;
    event.preventDefault();
    event.stopPropagation();
    if (by === undefined) reveal();
    else move(by);
  };
  return (
    <nav class="list" aria-label="Hosts, runs and what they do">
      <VirtualRows
        count={rows.length} rowHeight={ROW_HEIGHT} active={selected}
        attributes={{
          'class': 'scroll', 'role': 'listbox', 'tabindex': 0, 'aria-label': 'Steps, DMA and properties',
          'aria-activedescendant': selected >= 0 ? rowId(selected) : undefined, onKeyDown,
        }}
        row={(index, style) => <ListRow key={index} row={rows[index]!} index={index} count={rows.length} selected={index === selected} style={style} select={select} />}
      />
    </nav>
  );
}

const rowId = (index: number): string => `row-${index}`;

interface RowProperties {
  readonly row: Row;
  readonly index: number;
  readonly count: number;
  readonly selected: boolean;
  readonly style: { readonly top: string; readonly height: string };
  readonly select: (row: number) => void;
}

function ListRow({ row, index, count, selected, style, select }: RowProperties) {
  if (row.kind === 'run') {
    return <div class="row run" role="option" aria-disabled="true" aria-selected="false" aria-setsize={count} aria-posinset={index + 1} style={style} title={row.run.name}>{row.run.kind === 'host' ? `On ${row.run.name}` : row.run.name}</div>;
  }
  const shared = { id: rowId(index), role: 'option', 'aria-selected': selected, 'aria-setsize': count, 'aria-posinset': index + 1, style, onClick: () => select(index) } as const;
  if (row.kind === 'host') {
    const { name, kernel, groups } = row.host;
    return <div {...shared} class="row host"><span class="text">Groups of {name}</span><span class="result">{groups.length} · kernel {kernel}</span></div>;
  }
  const { action } = row;
  const tone = toneOf(action);
  return (
    <div {...shared} class={`row action ${tone}`} title={`${action.text}: ${outcomeOf(action)}`}>
      <span class="sign" aria-hidden="true">{SIGNS[tone]}</span>
      <span class="text">{action.text}</span>
      <span class="result">{action.fault?.name ?? action.result}<span class="for-ears">, {TONE_WORDS[tone]}</span></span>
    </div>
  );
}
