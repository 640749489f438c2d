/** One model: its calls at this step and the objects after it, drawn. What the step made or took away is marked. */
import { detailsAt, type BoxView, type ComparedCallView, type EdgeView, type ModelView, type SideView } from '../../server/protocol-compare.js';

interface Properties {
  readonly model: ModelView;
  readonly side: SideView;
  readonly calls: readonly ComparedCallView[];
  readonly row: number;
  /** Index of a box, -1 for none. */
  readonly chosen: number;
  readonly choose: (box: number) => void;
}

type Mark = 'made' | 'gone' | '';

export function Side({ model, side, calls, row, chosen, choose }: Properties) {
  return (
    <section class="side" aria-label={model.title}>
      <h2>{model.title}</h2>
      <ul class="calls">
        {calls.length === 0 && <li class="none">makes no call here</li>}
        {calls.map(({ text, call, result, good }, index) => <li key={index} title={text}><code>{call ?? text}</code> <b class={good ? 'good' : 'bad'}>{result}</b></li>)}
      </ul>
      <Drawing side={side} row={row} chosen={chosen} choose={choose} title={model.title} />
      <Links side={side} row={row} />
    </section>
  );
}

function Drawing({ side, row, chosen, choose, title }: Pick<Properties, 'side' | 'row' | 'chosen' | 'choose'> & { readonly title: string }) {
  const frame = side.frames[row];
  if (!frame) return <p class="nothing">The objects of this step are not drawn: the run is too long.</p>;
  const details = detailsAt(side, row);
  const madeBoxes = new Set(frame.newBoxes), madeEdges = new Set(frame.newEdges);
  const edges = [...frame.goneEdges.map((index) => [index, 'gone'] as const), ...frame.edges.map((index) => [index, madeEdges.has(index) ? 'made' : ''] as const)];
  const boxes = [...frame.goneBoxes.map((index) => [index, 'gone'] as const), ...frame.boxes.map((index) => [index, madeBoxes.has(index) ? 'made' : ''] as const)];
  return (
    <div class="canvas" role="region" aria-label={`Objects of ${title}`} tabindex={0} data-scrolls>
      <svg role="group" aria-label={`Objects of ${title}: ${frame.boxes.length} boxes, ${frame.edges.length} links`} viewBox={`0 0 ${side.width} ${side.height}`} style={{ maxWidth: `${side.width}px`, maxHeight: `${side.height}px`, minWidth: `${Math.round(side.width * SMALLEST)}px`, minHeight: `${Math.round(side.height * SMALLEST)}px` }}>
        {edges.map(([index, mark]) => <Line key={index} edge={side.edges[index]!} mark={mark} touched={isTouched(side.edges[index]!, chosen)} />)}
        {boxes.map(([index, mark]) => <Box key={index} box={side.boxes[index]!} summary={details.get(index)?.summary ?? ''} mark={mark} chosen={index === chosen} choose={() => choose(index === chosen ? -1 : index)} />)}
        {edges.map(([index, mark]) => <Label key={index} edge={side.edges[index]!} mark={mark} touched={isTouched(side.edges[index]!, chosen)} />)}
      </svg>
    </div>
  );
}

/** Scale below which the drawing scrolls instead. */
const SMALLEST = 0.62;

const isTouched = ({ from, to }: EdgeView, chosen: number): boolean => from === chosen || to === chosen;
const classOf = (mark: Mark, fake: boolean, touched: boolean): string => `${mark}${fake ? ' fake' : ''}${touched ? ' touched' : ''}`;

const Line = ({ edge: { d, head, fake }, mark, touched }: { readonly edge: EdgeView; readonly mark: Mark; readonly touched: boolean }) => <g class={`edge ${classOf(mark, fake, touched)}`}><path class="line" d={d} /><path class="head" d={head} /></g>;
const Label = ({ edge: { label, labelX, labelY, fake }, mark, touched }: { readonly edge: EdgeView; readonly mark: Mark; readonly touched: boolean }) =>
  <text class={`edge-label ${classOf(mark, fake, touched)}`} x={labelX} y={labelY + 3.5} aria-hidden="true">{label}</text>;

const MARKS: Readonly<Record<Mark, string>> = { made: ', new', gone: ', gone', '': '' };

function Box({ box, summary, mark, chosen, choose }: { readonly box: BoxView; readonly summary: string; readonly mark: Mark; readonly chosen: boolean; readonly choose: () => void }) {
  const { x, y, width, height, kind, label, fake } = box;
  // What stands on the box comes first: people who speak to their computer say what they see.
  const shown = [kind, shorten(label, 21), shorten(summary, 29)];
  const cut = shown[1] !== label || shown[2] !== summary;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    choose();
  };
  return (
    <g class={`box ${classOf(mark, fake, false)}${chosen ? ' chosen' : ''}`} role="button" tabindex={0} aria-pressed={chosen} aria-label={`${shown.filter((line) => line !== '').join(' ')}${cut ? `, ${label}, ${summary}` : ''}${fake ? ', only pretended' : ''}${MARKS[mark]}`} transform={`translate(${x} ${y})`} onClick={choose} onKeyDown={onKeyDown}>
      <rect class="shape" width={width} height={height} rx={6} />
      <text class="kind" x={width / 2} y={13}>{shown[0]}</text>{' '}
      <text class="label" x={width / 2} y={29}>{shown[1]}</text>{' '}
      <text class="summary" x={width / 2} y={42}>{shown[2]}</text>
    </g>
  );
}

const shorten = (words: string, longest: number): string => (words.length <= longest ? words : `${words.slice(0, longest - 1)}…`);

/** The drawing in words: for those who do not see it, and for those who want to read it. */
function Links({ side, row }: Pick<Properties, 'side' | 'row'>) {
  const frame = side.frames[row];
  if (!frame) return null;
  const made = new Set(frame.newEdges);
  const sentence = ({ from, to, label, fake }: EdgeView) => `${side.boxes[from]!.kind} ${side.boxes[from]!.label} ${label} ${side.boxes[to]!.kind} ${side.boxes[to]!.label}${fake ? ' (only pretended)' : ''}`;
  return (
    <details class="in-words">
      <summary>{frame.edges.length} links in words</summary>
      <ul>
        {frame.edges.map((index) => <li key={index} class={made.has(index) ? 'made' : ''}>{made.has(index) ? 'New: ' : ''}{sentence(side.edges[index]!)}</li>)}
        {frame.goneEdges.map((index) => <li key={`gone ${index}`} class="gone">Gone: {sentence(side.edges[index]!)}</li>)}
      </ul>
    </details>
  );
}
