/** The way of a request, drawn: device, ports, IOMMU, destination. */
import type { ActionView } from '../../server/protocol.js';
import { NODE, layOut, nodeOfStep, type PathLayout, type PlacedEdge, type PlacedNode } from './path-layout.js';
import { NODE_WORDS, toneOfVerdict, verdictWord } from './words.js';

interface Properties {
  readonly action: ActionView;
  readonly step: number;
  readonly selectStep: (step: number) => void;
}

export function Path({ action, step, selectStep }: Properties) {
  const layout = layOut(action);
  const current = nodeOfStep(action.path, step);
  const words = action.path.map(({ label, kind }) => `${label} (${NODE_WORDS[kind]})`).join(', then ');
  return (
    <div class="path" role="region" aria-label="Path" tabindex={0}>
      <svg id="path" class="drawing" role="group" aria-label={`Path: ${words}${action.bypassedIommu ? '. No IOMMU has seen it.' : ''}`} viewBox={`0 0 ${layout.width} ${layout.height}`}
        style={{ width: `${layout.width}px`, minWidth: `${Math.round(layout.width * 0.72)}px` }}>
        {layout.ghost && <Ghost at={layout.ghost} layout={layout} />}
        {layout.edges.map((edge, index) => <Edge key={index} edge={edge} travelled={index < current} />)}
        {layout.nodes.map((placed, index) => <Node key={index} placed={placed} current={index === current} selectStep={selectStep} />)}
      </svg>
    </div>
  );
}

function Edge({ edge: { from, to, tone }, travelled }: { readonly edge: PlacedEdge; readonly travelled: boolean }) {
  const y = from.y + NODE.height / 2;
  const start = from.x + NODE.width + 3, end = to.x - 4;
  return (
    <g class={`edge ${tone}${travelled ? ' travelled' : ''}`}>
      <path class="line" d={`M${start} ${y}H${end - 7}`} />
      <path class="head" d={`M${end - 8} ${y - 5}L${end} ${y}L${end - 8} ${y + 5}Z`} />
      {tone === 'bad' && <path class="cross" d={`M${(start + end) / 2 - 9} ${y - 6}l10 12m0-12l-10 12`} />}
    </g>
  );
}

function Node({ placed: { node, x, y }, current, selectStep }: { readonly placed: PlacedNode; readonly current: boolean; readonly selectStep: (step: number) => void }) {
  const first = node.steps[0];
  const choose = () => { if (first !== undefined) selectStep(first); };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    choose();
  };
  // The words on the node come first: people who speak to their computer say what they see.
  const { kind, name } = wordsOn(node);
  const label = `${kind} ${name}, ${node.label}, ${verdictWord(node.verdict)}`;
  const button = first === undefined ? { role: 'img' } as const : { role: 'button', tabindex: 0, onClick: choose, onKeyDown } as const;
  return (
    <g {...button} class={`node ${node.kind} ${toneOfVerdict(node.verdict)}${current ? ' current' : ''}`} aria-label={label} aria-current={current ? 'step' : undefined} transform={`translate(${x} ${y})`}>
      <Shape kind={node.kind} />
      <text class="kind" x={NODE.width / 2} y={23}>{kind}</text>{' '}
      <text class="label" x={NODE.width / 2} y={40}>{name}</text>
    </g>
  );
}

/** A unit has the corners of a gate, memory the lid of a drum; the others are boxes. */
function Shape({ kind }: { readonly kind: PlacedNode['node']['kind'] }) {
  const { width: w, height: h } = NODE;
  if (kind === 'unit') return <path class="shape" d={`M14 0H${w - 14}L${w} ${h / 2}L${w - 14} ${h}H14L0 ${h / 2}Z`} />;
  if (kind === 'memory') return <g><path class="shape" d={`M0 4A${w / 2} 4 0 0 1 ${w} 4V${h - 4}A${w / 2} 4 0 0 1 0 ${h - 4}Z`} /><path class="lid" d={`M0 4A${w / 2} 4 0 0 0 ${w} 4`} /></g>;
  return <rect class="shape" width={w} height={h} rx={kind === 'port' || kind === 'root-complex' ? 2 : 10} />;
}

/** The IOMMU that the request never met. */
function Ghost({ at: { x, y }, layout }: { readonly at: { readonly x: number; readonly y: number }; readonly layout: PathLayout }) {
  const right = layout.nodes.at(-1)!.x + NODE.width;
  return (
    <g class="ghost" aria-hidden="true">
      <path class="fence" d={`M${layout.nodes[0]!.x} ${y + 50}H${right}`} />
      <path class="shape" transform={`translate(${x} ${y})`} d={`M14 0H${NODE.width - 14}L${NODE.width} 20L${NODE.width - 14} 40H14L0 20Z`} />
      <text class="label" x={x + NODE.width / 2} y={y + 18}>IOMMU</text>
      <text class="kind" x={x + NODE.width / 2} y={y + 32}>never asked</text>
    </g>
  );
}

const LONGEST = 14;
const shorten = (label: string): string => (label.length <= LONGEST ? label : `${label.slice(0, LONGEST - 1)}…`);

/** Small and large line of a node: "gpu (0000:01:00.0)" is a "device 01:00.0" named "gpu". */
function wordsOn({ kind, label }: PlacedNode['node']): { readonly kind: string; readonly name: string } {
  const word = NODE_WORDS[kind];
  const addressed = /^(.+?) \((?:0000:)?([\da-f:.]+)\)$/.exec(label);
  if (addressed) return { kind: `${word} ${addressed[2]}`, name: shorten(addressed[1]!) };
  const rest = label.startsWith(`${word} `) ? label.slice(word.length + 1) : label;
  return { kind: rest === word ? '' : word, name: shorten(rest) };
}
